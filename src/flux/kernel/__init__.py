"""What a native contract is: its context, its storage, the declarations its ABI is derived from.

Knows nothing of any particular contract and nothing of blocks; `contracts` are written against this package and `chain`
runs them through it. Start at `contract.py`.
"""
