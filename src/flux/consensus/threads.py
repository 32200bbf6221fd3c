"""Threads for the application: signature recovery on several cores (it releases the GIL), a lock for the mempool."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from flux.chain.ports import Workers, recover_in_turn
from flux.chain.transaction import Transaction

_SMALLEST_SHARE = 4
"""Signatures; handing fewer to another thread costs more than recovering them here."""


@contextmanager
def threaded_workers(threads: int) -> Iterator[Workers]:
    """Workers for a node; `threads` recover signatures. They end with the context."""
    with ThreadPoolExecutor(threads, thread_name_prefix="flux-recover") as pool:

        def recover(transactions: Sequence[Transaction]) -> None:
            share = max(_SMALLEST_SHARE, -(-len(transactions) // threads))
            if len(transactions) <= share:
                recover_in_turn(transactions)
                return
            shares = [transactions[start : start + share] for start in range(0, len(transactions), share)]
            for _ in pool.map(recover_in_turn, shares):
                pass

        yield Workers(recover=recover, guard=threading.RLock())
