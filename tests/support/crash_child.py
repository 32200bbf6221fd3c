"""A chain under load until it is killed; prints a line for each block whose receipts a client could have seen.

Usage: crash_child.py FOLDER. A line is: number, block hash, state root, transaction hashes.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from flux.chain.block import Block
from flux.chain.receipt import Receipt
from flux.consensus.solo import SoloEngine, SoloTiming
from flux.consensus.threads import threaded_workers
from flux.database.lmdb_store import LmdbStore
from flux.primitives.types import U64, Address, Timestamp
from support.chain_lab import PRODUCER, Lab, address, funded

ACCOUNTS = 8
BATCH = 60


def announce(block: Block) -> None:
    """One line in one write, so that it is either seen or not."""
    hashes = [transaction.hash.hex() for transaction in block.transactions]
    os.write(1, " ".join([str(block.number), block.hash.hex(), block.header.state_root.hex(), *hashes, "\n"]).encode())


def traffic(lab: Lab, turn: int) -> list[bytes]:
    """Transfers to ever new accounts and calls that write, delete and schedule."""
    raws = []
    for number in range(BATCH):
        account, mark = number % ACCOUNTS, turn * BATCH + number
        if number % 3:
            raws.append(lab.transaction(account, Address(mark.to_bytes(20, "big")), value=mark + 1))
        elif number % 2:
            raws.append(lab.call(account, "shuffle(uint64,uint16)", mark, 4, gas=1_000_000))
        else:
            raws.append(lab.call(account, "remind(uint64,uint64)", mark % 5, mark))
    return raws


async def main(folder: str) -> None:
    with threaded_workers(2) as workers, LmdbStore(Path(folder)) as store:
        lab = Lab(store, start=funded(ACCOUNTS), workers=workers)
        loop, committed = asyncio.get_running_loop(), asyncio.Event()

        def listener(block: Block, receipts: list[Receipt]) -> None:
            announce(block)
            loop.call_soon_threadsafe(committed.set)

        lab.application.subscribe(listener)
        with lab.application.ledger.state_at() as view:
            lab.nonces = {number: view.nonce(address(number)) for number in range(ACCOUNTS)}
        turn = lab.application.ledger.head().number
        async with SoloEngine(lab.application, PRODUCER, timing=SoloTiming(batching=0.001)) as engine:
            while True:
                turn += 1
                answers = lab.application.submit_many(traffic(lab, turn), Timestamp(U64(int(time.time()))))
                failed = [answer for answer in answers if isinstance(answer, Exception)]
                assert not failed, failed[0]
                engine.notify()
                if len(lab.application.mempool) > 3 * BATCH:
                    committed.clear()
                    await committed.wait()
                await asyncio.sleep(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
