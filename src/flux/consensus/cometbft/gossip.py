"""The mempool's calls: transactions of other nodes come in by InsertTx, ours go out by ReapTxs.

The mempool is the application's (`mempool.type = "app"`): CometBFT only carries transactions between nodes. Each new
one is handed out once, and one that still waits after a while again, because a peer that was away or restarted may have
missed it.
"""

import time
from collections.abc import Callable

from flux.chain.admission import NotAccepting
from flux.chain.application import Application
from flux.chain.transaction_errors import (
    AccountLimitExceeded,
    AlreadyKnown,
    FeeCapTooLow,
    InsufficientFunds,
    LaneRefused,
    PoolFull,
    TransactionError,
    Underpriced,
)
from flux.consensus.cometbft.messages.tendermint.abci.types_pb2 import (
    Request,
    Response,
    ResponseCheckTx,
    ResponseInsertTx,
    ResponseReapTxs,
)
from flux.primitives.types import U64, Timestamp

OK, REFUSED, RETRY = 0, 1, 32_000
"""CometBFT asks again about codes from 32,000 on, and never about others."""
_PASSING = (
    AccountLimitExceeded,
    FeeCapTooLow,
    InsufficientFunds,
    LaneRefused,
    NotAccepting,
    PoolFull,
    Underpriced,
)
"""Reasons that another moment may not have."""
REPEAT_AFTER = 5
"""Seconds that a transaction waits before it is handed out again, and between two such rounds."""
REPEATED = 500
"""At most in one round."""


class Gossip:
    """Belongs to the event loop."""

    def __init__(self, application: Application, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix seconds."""
        self._application = application
        self._clock = clock
        self._handed_out = 0
        self._repeat_at = clock() + REPEAT_AFTER

    def check(self, request: Request) -> Response:
        """CheckTx: what came by CometBFT's own RPC."""
        code, text = self._take(request.check_tx.tx)
        return Response(check_tx=ResponseCheckTx(code=code, log=text))

    def insert(self, request: Request) -> Response:
        """InsertTx: what a peer handed on."""
        code, _ = self._take(request.insert_tx.tx)
        return Response(insert_tx=ResponseInsertTx(code=code))

    def reap(self, request: Request) -> Response:
        """ReapTxs: what peers may not have yet."""
        self._handed_out, new = self._application.arrivals(self._handed_out)
        now = self._clock()
        if now >= self._repeat_at:
            self._repeat_at = now + REPEAT_AFTER
            new += self._application.oldest_waiting(Timestamp(U64(int(now) - REPEAT_AFTER)), REPEATED)
        return Response(reap_txs=ResponseReapTxs(txs=[transaction.raw for transaction in new]))

    def _take(self, raw: bytes) -> tuple[int, str]:
        try:
            self._application.submit(raw, Timestamp(U64(int(self._clock()))))
        except AlreadyKnown:
            return OK, ""
        except TransactionError as error:
            return (RETRY if isinstance(error, _PASSING) else REFUSED), str(error)
        return OK, ""
