"""The way of a transaction into the mempool and out of it: decoding, checks, trial of free ones, proposing, dropping.

What a transaction is checked against is the newest state. Workers.guard is held around the mempool and the snapshot
that goes with it, so that RPC threads and the committing thread may both come here.
"""

from collections.abc import Sequence

from flux.chain import tables
from flux.chain.block import Block
from flux.chain.call import check_gas_limit
from flux.chain.executor import BlockFull
from flux.chain.headers import next_base_fee
from flux.chain.ledger import Ledger
from flux.chain.mempool import Mempool
from flux.chain.mempool_limits import MempoolLimits
from flux.chain.params import ChainParams
from flux.chain.ports import Workers
from flux.chain.simulation import Simulator
from flux.chain.transaction import Transaction, check_intrinsic_gas, decode
from flux.chain.transaction_errors import NonceTooHigh, TransactionError
from flux.chain.world import decode_account
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, U256, Address, Hash, Nonce, Timestamp, Wei

_KEEP_WAITING = (BlockFull, NonceTooHigh)
"""Reasons that pass: no room in this block, or an earlier transaction of the sender had none or was dropped."""
_REMEMBERED = 10_000
"""Dropped transactions whose reason is kept."""


class NotAccepting(TransactionError):
    """The node takes no transactions for now; what it has taken is safe."""

    words = "transactions are not accepted now"


class Admission:
    """The mempool with its doors."""

    def __init__(
        self,
        ledger: Ledger,
        simulator: Simulator,
        params: ChainParams,
        chain_id: int,
        workers: Workers,
        limits: MempoolLimits | None,
    ) -> None:
        self.mempool = Mempool(limits)
        self._ledger = ledger
        self._simulator = simulator
        self._params = params
        self._chain_id = chain_id
        self._workers = workers
        self._snapshot = ledger.snapshot()
        self._dropped: dict[Hash, TransactionError] = {}
        self._closed_because: str | None = None

    def close(self) -> None:
        """Release the snapshot."""
        self._snapshot.close()

    def suspend(self, reason: str) -> None:
        """Refuse transactions until `resume`."""
        self._closed_because = reason

    def resume(self) -> None:
        """Take transactions again."""
        self._closed_because = None

    @property
    def suspended(self) -> str | None:
        """Why transactions are refused; None when they are taken."""
        return self._closed_because

    def submit(self, raw: bytes, now: Timestamp) -> Hash:
        """Take a transaction. Raises a TransactionError."""
        transaction = self._decode(raw)
        transaction.recover()
        self._admit(transaction, now)
        return transaction.hash

    def submit_many(self, raws: Sequence[bytes], now: Timestamp) -> list[Hash | TransactionError]:
        """Take many; each has its hash or its error in the answer."""
        decoded = [self._try_decode(raw) for raw in raws]
        self._workers.recover([item for item in decoded if isinstance(item, Transaction)])
        return [self._try_admit(item, now) if isinstance(item, Transaction) else item for item in decoded]

    def pending_nonce(self, address: Address) -> Nonce:
        """The next nonce of an account, its waiting transactions counted."""
        with self._workers.guard:
            pending = self.mempool.pending_nonce(address)
            return self._account(address)[0] if pending is None else pending

    def find_pending(self, transaction_hash: Hash) -> Transaction | None:
        """A transaction that waits."""
        with self._workers.guard:
            return self.mempool.find(transaction_hash)

    def find_dropped(self, transaction_hash: Hash) -> TransactionError | None:
        """Why a transaction was dropped when its turn came."""
        return self._dropped.get(transaction_hash)

    def has_work(self, now: Timestamp) -> bool:
        """Whether a block made now would hold transactions."""
        base_fee = self._base_fee(now)
        with self._workers.guard:
            return self.mempool.has_executable(base_fee)

    def arrivals(self, after: int) -> tuple[int, list[Transaction]]:
        """What has come since."""
        with self._workers.guard:
            return self.mempool.arrivals(after)

    def oldest_waiting(self, before: Timestamp, count: int) -> list[Transaction]:
        """What came before a time and still waits."""
        with self._workers.guard:
            return self.mempool.oldest(before, count)

    def decode_block(self, raws: Sequence[bytes]) -> list[Transaction]:
        """Transactions of another node's block. Raises a TransactionError."""
        found: list[Transaction] = []
        for raw in raws:
            waiting = self.find_pending(keccak256(raw))
            found.append(self._decode(raw) if waiting is None else waiting)
        return found

    def propose(self, timestamp: Timestamp, size: int | None = None) -> list[Transaction]:
        """What the next block should hold, in at most `size` bytes."""
        params, base_fee = self._params, self._base_fee(timestamp)
        room = params.max_block_bytes if size is None else min(size, params.max_block_bytes)
        with self._workers.guard:
            return self.mempool.select(params.block_gas_limit, room, params.lane_gas_limit, base_fee)

    def committed(
        self, block: Block, dropped: Sequence[tuple[Transaction, TransactionError]], params: ChainParams
    ) -> None:
        """A block was committed; `dropped` had been proposed for it but proved invalid. `params` are the next one's."""
        snapshot = self._ledger.snapshot()
        self._params = params
        with self._workers.guard:
            old, self._snapshot = self._snapshot, snapshot
            self.mempool.committed(block.transactions[:-1], block.header.timestamp)
            for transaction, error in dropped:
                if not isinstance(error, _KEEP_WAITING):
                    self.mempool.remove(transaction.hash)
                    self._remember(transaction.hash, error)
        old.close()

    def _decode(self, raw: bytes) -> Transaction:
        return decode(raw, self._chain_id, max_bytes=self._params.max_transaction_bytes)

    def _try_decode(self, raw: bytes) -> Transaction | TransactionError:
        try:
            return self._decode(raw)
        except TransactionError as error:
            return error

    def _try_admit(self, transaction: Transaction, now: Timestamp) -> Hash | TransactionError:
        try:
            self._admit(transaction, now)
        except TransactionError as error:
            return error
        return transaction.hash

    def _admit(self, transaction: Transaction, now: Timestamp) -> None:
        if self._closed_because is not None:
            raise NotAccepting(self._closed_because)
        sender = transaction.recover()
        check_intrinsic_gas(transaction, self._params)
        check_gas_limit(transaction, self._params, is_lane=transaction.is_free)
        if transaction.is_free:
            with self._ledger.state_at() as view:
                self._simulator.check_lane(view, transaction)
        base_fee = self._base_fee(now)
        with self._workers.guard:
            nonce, balance = self._account(sender)
            self.mempool.add(transaction, nonce, balance, base_fee, now)

    def _account(self, address: Address) -> tuple[Nonce, Wei]:
        nonce, balance = decode_account(self._snapshot.get(tables.account(address)))
        return Nonce(U64(nonce)), Wei(U256(balance))

    def _base_fee(self, now: Timestamp) -> Wei:
        return next_base_fee(self._ledger.head().header, now, self._params)

    def _remember(self, transaction_hash: Hash, error: TransactionError) -> None:
        if len(self._dropped) >= _REMEMBERED:
            del self._dropped[next(iter(self._dropped))]
        self._dropped[transaction_hash] = error
