"""The chain behind any consensus engine: admit transactions, propose, finalize (compute), commit (persist), query.

The application knows no engine and starts no thread: `finalize` and `commit` belong to one thread at a time; everything
else may be called from any, `Workers.guard` keeping the mempool whole.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from flux.chain.access import Accessed, RecordingReader
from flux.chain.admission import Admission
from flux.chain.block import Block
from flux.chain.consensus_info import NO_INFO, ConsensusInfo, ValidatorUpdate, encode_info
from flux.chain.executor import Executor, Fault
from flux.chain.headers import genesis_header, next_base_fee, next_header
from flux.chain.ledger import Ledger, Prepared
from flux.chain.mempool_limits import MempoolLimits
from flux.chain.params import ChainParams
from flux.chain.ports import ALONE, Genesis, MachineFactory, Workers
from flux.chain.pruning import KEEP_ALL
from flux.chain.receipt import Receipt
from flux.chain.simulation import CallRequest, CallResult, Simulator
from flux.chain.snapshot import BadSnapshot, Metadata
from flux.chain.state_root import StateChange, StateCommitment, code_of
from flux.chain.store import Snapshot, Store
from flux.chain.transaction import Transaction
from flux.chain.transaction_errors import TransactionError
from flux.chain.world import ChainWorld
from flux.kernel.record import Record
from flux.primitives.keccak import keccak256
from flux.primitives.types import Address, ConsensusAddress, Gas, Hash, Height, Nonce, Timestamp, Wei

Listener = Callable[[Block, list[Receipt]], None]
_KEPT_COMPUTED = 8
"""Computed blocks kept until one is committed: an engine may ask about several proposals for one height."""


class BadBlock(ValueError):
    """A block that does not follow the newest one; the engine asked for something impossible."""


@dataclass(frozen=True, slots=True)
class FinalizedBlock:
    """A computed block, not yet persisted."""

    block: Block
    receipts: list[Receipt]
    change: StateChange
    dropped: list[tuple[Transaction, TransactionError]]
    """Transactions that proved invalid and are not in the block."""
    faults: list[Fault]
    """Bugs in contracts that transactions ran into; for the log."""
    validator_updates: tuple[ValidatorUpdate, ...] = ()
    """How the validator set changes, for the engine."""


class Application:
    """One chain."""

    def __init__(
        self,
        store: Store,
        machine_factory: MachineFactory,
        genesis: Genesis,
        *,
        workers: Workers = ALONE,
        limits: MempoolLimits | None = None,
        keep_blocks: int = KEEP_ALL,
    ) -> None:
        """Open at the last committed block, or make the genesis block. Raises LedgerError, StoreError.

        Only the newest `keep_blocks` blocks are kept; KEEP_ALL keeps all.
        """
        self.chain_id = genesis.chain_id
        self.first_validators = genesis.validators
        """The set of the genesis, for an engine that starts the chain."""
        self.ledger = Ledger(store, genesis.chain_id, genesis.digest, keep_blocks)
        self._workers = workers
        self._listeners: list[Listener] = []
        self._computed: dict[Hash, FinalizedBlock] = {}
        """By what they were made of; all of them follow the newest block."""
        self._snapshot: Snapshot = self.ledger.snapshot()
        """What blocks are executed on; the executing thread's."""
        self._world = ChainWorld(self._snapshot)
        machine = machine_factory(self._world)
        self.contract_names = machine.contract_names()
        """The native contracts by address."""
        self._executor = Executor(self._world, machine)
        self._commitment = StateCommitment(self.contract_names)
        self._simulator = Simulator(machine_factory)
        if self.ledger.is_empty():
            self._make_genesis(genesis, machine.chain_params())
        self._enter_head()
        self._admission = Admission(self.ledger, self._simulator, self._params, genesis.chain_id, workers, limits)
        self.mempool = self._admission.mempool

    @property
    def params(self) -> ChainParams:
        """What the next block is made under."""
        return self._params

    def close(self) -> None:
        """Release the snapshots. The store is its opener's to close."""
        self._snapshot.close()
        self._admission.close()

    def submit(self, raw: bytes, now: Timestamp) -> Hash:
        """Take a transaction into the mempool. Raises a TransactionError. `now` is the node's clock."""
        return self._admission.submit(raw, now)

    def submit_many(self, raws: Sequence[bytes], now: Timestamp) -> list[Hash | TransactionError]:
        """Take many; signatures are recovered together. Each has its hash or its error in the answer."""
        return self._admission.submit_many(raws, now)

    def suspend(self, reason: str) -> None:
        """Refuse new transactions until `resume`: the engine cannot commit."""
        self._admission.suspend(reason)

    def resume(self) -> None:
        """Take transactions again."""
        self._admission.resume()

    @property
    def suspended(self) -> str | None:
        """Why transactions are refused; None when they are taken."""
        return self._admission.suspended

    def pending_nonce(self, address: Address) -> Nonce:
        """The next nonce of an account, its waiting transactions counted."""
        return self._admission.pending_nonce(address)

    def find_pending(self, transaction_hash: Hash) -> Transaction | None:
        """A transaction that waits in the mempool."""
        return self._admission.find_pending(transaction_hash)

    def find_dropped(self, transaction_hash: Hash) -> TransactionError | None:
        """Why a transaction that had been taken was dropped lately: it had become invalid when its turn came."""
        return self._admission.find_dropped(transaction_hash)

    def has_work(self, now: Timestamp) -> bool:
        """Whether a block made now would hold transactions."""
        return self._admission.has_work(now)

    def arrivals(self, after: int) -> tuple[int, list[Transaction]]:
        """What has come into the mempool since, and the number to ask with next time; 0 at first."""
        return self._admission.arrivals(after)

    def oldest_waiting(self, before: Timestamp, count: int) -> list[Transaction]:
        """At most `count` transactions that came before a time and still wait, the oldest first."""
        return self._admission.oldest_waiting(before, count)

    def decode_block(self, raws: Sequence[bytes]) -> list[Transaction]:
        """The transactions of a block that another node made. Raises a TransactionError for the first unreadable one.

        Those that wait here are taken from the mempool, so that no signature is recovered twice.
        """
        return self._admission.decode_block(raws)

    def propose(self, timestamp: Timestamp, size: int | None = None) -> list[Transaction]:
        """What the next block should hold, in at most `size` bytes (the parameter's by default)."""
        return self._admission.propose(timestamp, size)

    def prepare(
        self, timestamp: Timestamp, producer: Address, size: int, info: ConsensusInfo = NO_INFO
    ) -> FinalizedBlock:
        """Compute a next block out of what waits; its transactions, in at most `size` bytes, finalize without loss."""
        finalized = self.finalize(self.propose(timestamp, size), timestamp, producer, info)
        included = finalized.block.transactions[:-1]
        if finalized.dropped:
            # Refused transactions changed nothing: the block without them is the same block.
            self._keep(self._identity(included, timestamp, producer, info), finalized)
        return finalized

    def next_base_fee(self, now: Timestamp) -> Wei:
        """Wei per gas that a block made now would burn."""
        return next_base_fee(self.ledger.head().header, now, self.params)

    def next_due(self) -> Timestamp | None:
        """Header time of the earliest scheduled work; a block at or after it does that work."""
        return self._next_due

    def producer_of(self, proposer: ConsensusAddress) -> Address:
        """Who receives the tips of a block on the head that this validator proposes; zero for an unknown one."""
        with self.ledger.state_at() as view:
            return self._simulator.producer_of(view, proposer)

    def code(self, address: Address) -> bytes:
        """What stands for the code of an address (eth_getCode); empty when there is no contract."""
        name = self.contract_names.get(address)
        return b"" if name is None else code_of(name)

    def finalize(
        self,
        transactions: Sequence[Transaction],
        timestamp: Timestamp,
        producer: Address,
        info: ConsensusInfo = NO_INFO,
    ) -> FinalizedBlock:
        """Execute the next block; nothing is persisted. Asked again for the same block, the answer is kept.

        `producer` receives the tips: `producer_of` the proposer where validators propose. `info` becomes part of the
        block. Raises BadBlock, UpgradeRequired.
        """
        parent = self.ledger.head().header
        if timestamp < parent.timestamp:
            raise BadBlock(f"the block's time {timestamp} is before its parent's, {parent.timestamp}")
        identity = self._identity(transactions, timestamp, producer, info)
        if (known := self._computed.get(identity)) is not None:
            return known
        self._workers.recover([transaction for transaction in transactions if transaction.sender is None])
        self._world.rebase(self._snapshot)
        executor = self._executor
        executor.begin(parent, timestamp, producer, info)
        dropped: list[tuple[Transaction, TransactionError]] = []
        for transaction in transactions:
            try:
                executor.execute(transaction)
            except TransactionError as error:
                dropped.append((transaction, error))
        executed = executor.finish()
        change = self._commitment.change(self._world)
        block = Block(next_header(parent, executed, change.root, timestamp, producer), executed.transactions)
        finalized = FinalizedBlock(
            block, executed.receipts, change, dropped, executed.faults, executed.validator_updates
        )
        self._keep(identity, finalized)
        return finalized

    def commit(self, finalized: FinalizedBlock) -> Block:
        """Persist a finalized block, durably, then tell the mempool and the listeners.

        Raises StoreError when it cannot be written; then nothing has changed and it can be tried again.
        """
        block = finalized.block
        if block.header.parent_hash != self.ledger.head().hash:
            raise BadBlock(f"block {block.number} does not follow the newest block")
        self.ledger.commit(Prepared(block, finalized.receipts, finalized.change))
        self._computed.clear()
        self._enter_head()
        self._admission.committed(block, finalized.dropped, self._params)
        for listener in tuple(self._listeners):
            listener(block, finalized.receipts)
        return block

    def begin_restore(self, metadata: Metadata, trusted: Hash) -> None:
        """Begin to restore a snapshot of the block with the hash `trusted`, in the executing thread.

        Raises BadSnapshot when it is of another block, LedgerError when this node is beyond genesis.
        """
        if metadata.header.hash != trusted:
            raise BadSnapshot(f"the snapshot is of a block {metadata.header.hash.hex()}, not of {trusted.hex()}")
        self.ledger.begin_restore(self._commitment, self.contract_names, metadata)

    def restore_chunk(self, index: int, chunk: bytes) -> bool:
        """Take the next chunk; True when it was the last and the application now stands at the snapshot's block.

        Raises what Restorer.apply and Restorer.finish raise.
        """
        restorer = self.ledger.restoring
        if restorer is None:
            raise BadSnapshot("no snapshot was accepted")
        restorer.apply(index, chunk)
        if not restorer.is_complete:
            return False
        block = self.ledger.finish_restore()
        self._computed.clear()
        self._enter_head()
        self._admission.committed(block, [], self._params)
        return True

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called after each commit, in the committing thread; it must be quick and must not raise.

        Returns what ends the subscription.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def call(self, request: CallRequest, number: Height | None = None) -> CallResult:
        """Run a call on the state after a block, the newest by default. Raises StateUnavailable, TransactionError."""
        with self.ledger.state_at(number) as view:
            return self._simulator.call(view, request)

    def accessed(self, request: CallRequest, number: Height | None = None) -> Accessed:
        """What a call reads, whether or not it succeeds. Raises StateUnavailable."""
        with self.ledger.state_at(number) as view:
            recorder = RecordingReader(view.reader)
            view.reader = recorder
            with suppress(TransactionError):
                self._simulator.call(view, request)
            return recorder.accessed

    def estimate_gas(self, request: CallRequest, number: Height | None = None) -> Gas:
        """A gas limit with which the transaction would succeed. Raises ExecutionReverted and what `call` raises."""
        with self.ledger.state_at(number) as view:
            return self._simulator.estimate(view, request)

    def all_params(self, number: Height | None = None) -> Record:
        """Every parameter as the state after a block sets it, the newest by default. Raises StateUnavailable."""
        with self.ledger.state_at(number) as view:
            return self._simulator.all_params(view)

    def _identity(
        self, transactions: Sequence[Transaction], timestamp: Timestamp, producer: Address, info: ConsensusInfo
    ) -> Hash:
        """What decides the next block."""
        hashes = b"".join([transaction.hash for transaction in transactions])
        told = keccak256(encode_info(info))
        return keccak256(self.ledger.head().hash + timestamp.to_bytes(8, "big") + producer + told + hashes)

    def _keep(self, identity: Hash, finalized: FinalizedBlock) -> None:
        if len(self._computed) >= _KEPT_COMPUTED:
            del self._computed[next(iter(self._computed))]
        self._computed[identity] = finalized

    def _enter_head(self) -> None:
        """Execution and admission move on to the newest state."""
        old, self._snapshot = self._snapshot, self.ledger.snapshot()
        old.close()
        self._world.rebase(self._snapshot)
        with self.ledger.state_at() as view:
            self._next_due = self._simulator.next_due(view)
            self._params = self._simulator.chain_params(view)

    def _make_genesis(self, genesis: Genesis, params: ChainParams) -> None:
        genesis.apply(self._world)
        change = self._commitment.change(self._world, touched=self.contract_names)
        block = Block(genesis_header(genesis, change.root, params), ())
        self.ledger.commit(Prepared(block, [], change))
