"""The mempool's calls: transactions of other nodes come in by InsertTx, ours go out by ReapTxs.

The mempool is the application's (`mempool.type = "app"`): CometBFT only carries bytes between nodes, and what it takes
for one transaction is a bundle of ours. That matters: it hands them over one by one, and whatever else the same peer
says, its votes too, waits meanwhile. So a bundle is answered at once and looked at in a thread.

What came from clients is handed out at once. What came from a peer is handed on only if it still waits a second later:
where all know each other everybody has it by then, and elsewhere it reaches the next ones. What waits longer is handed
out again, because a peer that was away or restarted may have missed it.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor

from flux.chain.application import Application
from flux.chain.transaction import Transaction
from flux.chain.transaction_errors import AlreadyKnown, TransactionError
from flux.consensus.cometbft.messages.tendermint.abci import types_pb2 as abci
from flux.primitives import rlp
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, Hash, Timestamp

OK, REFUSED, RETRY = 0, 1, 32_000
"""CometBFT lets a peer offer the same bytes again after codes from 32,000 on, and never after others."""
BUNDLE_MARK = b"\x00"
"""No transaction begins with it."""
BUNDLE_BYTES = 256 * 1024
"""Of the transactions in one bundle; a larger one has a single transaction."""
MAX_WAITING_BYTES = 32 << 20
"""Of bundles that are not yet looked at."""
RELAY_AFTER = 1.0
"""Seconds that what a peer sent must wait before it is handed on."""
REPEAT_AFTER = 5
"""Seconds that a transaction waits before it is handed out again, and between two such rounds."""
REPEATED = 500
"""At most in one round."""


class BadBundle(ValueError):
    """The bytes are no bundle of transactions."""


def bundles(raws: Sequence[bytes]) -> Iterator[bytes]:
    """The transactions in as few bundles as may be, in order."""
    part: list[bytes] = []
    size = 0
    for raw in raws:
        if part and size + len(raw) > BUNDLE_BYTES:
            yield BUNDLE_MARK + rlp.encode(part)
            part, size = [], 0
        part.append(raw)
        size += len(raw)
    if part:
        yield BUNDLE_MARK + rlp.encode(part)


def unbundle(data: bytes) -> list[bytes]:
    """The transactions of a bundle; only the bundle is looked at. Raises BadBundle."""
    if data[:1] != BUNDLE_MARK:
        raise BadBundle("a bundle begins with a zero byte")
    try:
        items = rlp.decode(data[1:])
    except rlp.RlpError as error:
        raise BadBundle(str(error)) from error
    raws = [item for item in items if isinstance(item, bytes)] if isinstance(items, list) else []
    if not raws or len(raws) != len(items):
        raise BadBundle("a bundle is a list of encoded transactions")
    return raws


class Gossip:
    """Belongs to the event loop; bundles are looked at in `executor`, which has one thread."""

    def __init__(self, application: Application, executor: Executor, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix seconds."""
        self._application = application
        self._executor = executor
        self._clock = clock
        self._handed_out = 0
        self._waiting_bytes = 0
        self._from_peers: set[Hash] = set()
        """Arrived from peers and not yet seen by `reap`; each step on it is atomic, for two threads use it."""
        self._relays: deque[tuple[float, Hash]] = deque()
        """What came from peers, and when it is due to be handed on; in that order."""
        self._repeat_at = clock() + REPEAT_AFTER

    def check(self, request: abci.Request) -> abci.Response:
        """CheckTx: a single transaction that came by CometBFT's own RPC."""
        code, text = OK, ""
        try:
            self._application.submit(request.check_tx.tx, self._now())
        except AlreadyKnown:
            pass
        except TransactionError as error:
            code, text = REFUSED, str(error)
        return abci.Response(check_tx=abci.ResponseCheckTx(code=code, log=text))

    def insert(self, request: abci.Request) -> abci.Response:
        """InsertTx: a bundle that a peer handed out. OK says no more than that it is one."""
        data = request.insert_tx.tx
        if self._waiting_bytes + len(data) > MAX_WAITING_BYTES:
            return abci.Response(insert_tx=abci.ResponseInsertTx(code=RETRY))
        try:
            raws = unbundle(data)
        except BadBundle:
            return abci.Response(insert_tx=abci.ResponseInsertTx(code=REFUSED))
        self._waiting_bytes += len(data)
        self._executor.submit(self._take, raws, len(data))
        return abci.Response(insert_tx=abci.ResponseInsertTx(code=OK))

    def reap(self, request: abci.Request) -> abci.Response:
        """ReapTxs: what peers may not have yet."""
        now = self._clock()
        self._handed_out, arrived = self._application.arrivals(self._handed_out)
        new: list[Transaction] = []
        for transaction in arrived:
            if transaction.hash in self._from_peers:
                self._from_peers.discard(transaction.hash)
                self._relays.append((now + RELAY_AFTER, transaction.hash))
            else:
                new.append(transaction)
        while self._relays and self._relays[0][0] <= now:
            waiting = self._application.find_pending(self._relays.popleft()[1])
            if waiting is not None:
                new.append(waiting)
        if now >= self._repeat_at:
            self._repeat_at = now + REPEAT_AFTER
            new += self._application.oldest_waiting(Timestamp(U64(int(now) - REPEAT_AFTER)), REPEATED)
        txs = bundles([transaction.raw for transaction in new])
        return abci.Response(reap_txs=abci.ResponseReapTxs(txs=txs))

    def _take(self, raws: list[bytes], size: int) -> None:
        """Admit what a bundle holds. In the executor's thread."""
        try:
            hashes = [keccak256(raw) for raw in raws]
            self._from_peers.update(hashes)
            outcomes = self._application.submit_many(raws, self._now())
            for transaction, outcome in zip(hashes, outcomes, strict=True):
                if isinstance(outcome, TransactionError):
                    self._from_peers.discard(transaction)
        finally:
            self._waiting_bytes -= size

    def _now(self) -> Timestamp:
        return Timestamp(U64(int(self._clock())))
