"""The protocol: one folder per contract, all of the same shape.

`types.py` is the only file that other contracts and off-chain packages import; `rules.py` is pure arithmetic and
decisions, `state.py` the storage, `contract.py` the methods, `invariants.py` what must hold after every block.
"""
