"""`flux oracle`: the price of FLUX in US dollars."""
