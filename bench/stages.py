"""Where the CPU time of a block goes inside the chain: the application's own parts, run one after the other.

The parts are those that `chain.application` puts together, each over a whole block, so that one clock reading serves
thousands of transactions.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from flux.chain.application import Application, FinalizedBlock
from flux.chain.block import Block
from flux.chain.executor import Executor
from flux.chain.headers import next_header
from flux.chain.ports import Genesis as ChainGenesis
from flux.chain.state_root import StateCommitment
from flux.chain.store import Snapshot
from flux.chain.transaction import decode
from flux.chain.transaction_errors import TransactionError
from flux.chain.world import ChainWorld
from flux.database.lmdb_store import LmdbStore
from flux.primitives.types import U64, Timestamp
from flux.protocol.params import Params
from flux.protocol.registry import ProtocolFactory
from flux.services.chain import DEFAULT_PRODUCER
from flux.services.chain_home import DATA_FOLDER

_DECODING, _RECOVERY = "decoding", "signature recovery"


class Stages:
    """CPU microseconds by stage, for each of many units of work; one value per block."""

    def __init__(self, units: int) -> None:
        """`units` of work in a block."""
        self.values: dict[str, list[float]] = {}
        self._units = units

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what runs inside."""
        started = time.thread_time()
        yield
        self.add(name, time.thread_time() - started)

    def add(self, name: str, seconds: float) -> None:
        """Count seconds of CPU time."""
        self.values.setdefault(name, []).append(seconds / self._units * 1e6)

    def latest(self, name: str) -> float:
        """Seconds of a stage in the last block."""
        return self.values[name][-1] * self._units / 1e6


class StagedChain:
    """A chain in this process, in one thread, whose blocks are made stage by stage."""

    def __init__(self, home: Path, params: Params, genesis: ChainGenesis) -> None:
        self._store = _TimedStore(home / DATA_FOLDER)
        self._genesis = genesis
        self._factory = ProtocolFactory(params)
        self._application = Application(self._store, self._factory, genesis)
        self._commitment = StateCommitment(self._application.contract_names)

    def close(self) -> None:
        """Close the application and its store."""
        self._application.close()
        self._store.close()

    def block(self, raws: Sequence[bytes], stages: Stages) -> None:
        """Take transactions in and make a block of them. Raises TransactionError when one is refused."""
        application, ledger = self._application, self._application.ledger
        parent = ledger.head().header
        timestamp = Timestamp(U64(parent.timestamp + 1))
        self._submit(raws, timestamp, stages)
        with stages.stage("choosing for the block"):
            chosen = application.propose(timestamp)
        with ledger.snapshot() as snapshot:
            world = ChainWorld(snapshot)
            executor = Executor(world, self._factory(world))
            with stages.stage("execution of transactions"):
                executor.begin(parent, timestamp, DEFAULT_PRODUCER)
                for transaction in chosen:
                    executor.execute(transaction)
            with stages.stage("end of block: due work, placement"):
                executed = executor.finish()
            with stages.stage("state tries"):
                change = self._commitment.change(world)
            with stages.stage("roots of transactions and receipts"):
                header = next_header(parent, executed, change.root, timestamp, DEFAULT_PRODUCER)
        block = Block(header, executed.transactions)
        self._commit(FinalizedBlock(block, executed.receipts, change, [], executed.faults), stages)

    def _submit(self, raws: Sequence[bytes], timestamp: Timestamp, stages: Stages) -> None:
        """Admission is what is left of taking transactions in without decoding and recovery, timed beforehand."""
        with stages.stage(_DECODING):
            decoded = [decode(raw, self._genesis.chain_id) for raw in raws]
        with stages.stage(_RECOVERY):
            for transaction in decoded:
                transaction.recover()
        started = time.thread_time()
        outcomes = self._application.submit_many(raws, timestamp)
        seconds = time.thread_time() - started
        for outcome in outcomes:
            if isinstance(outcome, TransactionError):
                raise outcome
        stages.add("admission to the mempool", seconds - stages.latest(_DECODING) - stages.latest(_RECOVERY))

    def _commit(self, finalized: FinalizedBlock, stages: Stages) -> None:
        before, started = self._store.seconds, time.thread_time()
        self._application.commit(finalized)
        written = self._store.seconds - before
        stages.add("encoding for the database, clearing the mempool", time.thread_time() - started - written)
        stages.add("writing to the database", written)


class _TimedStore:
    """An LmdbStore that tells how long commits take, for separating the database from what is written to it."""

    def __init__(self, path: Path) -> None:
        self._store = LmdbStore(path)
        self.seconds = 0.0

    def snapshot(self) -> Snapshot:
        return self._store.snapshot()

    def commit(self, writes: Mapping[bytes, bytes | None]) -> None:
        started = time.thread_time()
        self._store.commit(writes)
        self.seconds += time.thread_time() - started

    def close(self) -> None:
        self._store.close()
