"""Hardware is measured by others: `prover` answers short unpredictable tasks, `examiner` sets and checks them.

`tasks` says what can be asked, `plot` is the file that shows that there is a disk, `budget` keeps all of it under a
hundredth of the node's time, `challenger` picks the moments.
"""
