"""The economy played out: the real contracts, thousands of operators and tenants, years in minutes.

`make sim` runs it. Behaviours are in `behaviours/`, what they live on in `economy.py`, what comes out in `report.py`.
"""
