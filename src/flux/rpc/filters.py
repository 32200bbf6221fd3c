"""eth_newFilter and its kin: subscriptions for clients that only poll.

A filter is a description and the next block to look at, so it costs nothing while nobody asks. Filters that nobody
asked for a while, and the longest unused ones above the limit, are forgotten.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from flux.chain.application import Application
from flux.chain.logs import LogQuery
from flux.chain.transaction_errors import SERVER_ERROR
from flux.primitives.types import U64, Height
from flux.rpc import format, parameters
from flux.rpc.errors import RpcError, invalid_params
from flux.rpc.eth_logs import LogFilter, log_filter, log_query
from flux.rpc.methods import Table, inline, scan

MAX_FILTERS = 10_000
MAX_HASHES = 10_000
"""Block hashes in one answer; a client that slept longer gets the newest."""
SECONDS = 300
"""Without being asked, until a filter is forgotten."""


@dataclass(slots=True)
class _Filter:
    wanted: LogFilter | None
    """None for a filter of new blocks."""
    next_block: int
    asked_at: float


class Filters:
    """Polling filters. Safe in any thread."""

    def __init__(self, application: Application, clock: Callable[[], float]) -> None:
        self._application = application
        self._clock = clock
        self._lock = threading.Lock()
        self._filters: dict[str, _Filter] = {}
        """The longest unused first."""

    def table(self) -> Table:
        """The methods."""
        return {
            "eth_newFilter": inline(self.new, log_filter),
            "eth_newBlockFilter": inline(self.new),
            "eth_getFilterChanges": scan(self.changes, parameters.text),
            "eth_getFilterLogs": scan(self.logs, parameters.text),
            "eth_uninstallFilter": inline(self.uninstall, parameters.text),
        }

    def new(self, wanted: LogFilter | None = None) -> str:
        """Begin to watch from the next block on; the filter's id."""
        if wanted is not None and isinstance(wanted.from_block, bytes):
            raise invalid_params("a filter for future logs takes no blockHash; use eth_getLogs")
        identity = "0x" + secrets.token_hex(16)
        head = self._application.ledger.head().number
        with self._lock:
            self._forget_old()
            self._filters[identity] = _Filter(wanted, head + 1, self._clock())
        return identity

    def changes(self, identity: str) -> list[object]:
        """What came since the last time: logs, or hashes of blocks."""
        with self._lock:
            found = self._touch(identity)
            first, head = found.next_block, int(self._application.ledger.head().number)
            found.next_block = head + 1
        if found.wanted is None:
            return [self._hash(number) for number in range(max(first, head + 1 - MAX_HASHES), head + 1)]
        if first > head:
            return []
        query = LogQuery(Height(U64(first)), Height(U64(head)), found.wanted.addresses, found.wanted.topics)
        return [format.log(log) for log in self._application.ledger.logs(query)]

    def logs(self, identity: str) -> list[object]:
        """All logs that the filter wants, as eth_getLogs."""
        with self._lock:
            wanted = self._touch(identity).wanted
        if wanted is None:
            raise _not_found()
        query = log_query(self._application, wanted)
        return [] if query is None else [format.log(log) for log in self._application.ledger.logs(query)]

    def uninstall(self, identity: str) -> bool:
        """Stop watching; whether there was such a filter."""
        with self._lock:
            return self._filters.pop(identity, None) is not None

    def _touch(self, identity: str) -> _Filter:
        found = self._filters.pop(identity, None)
        if found is None:
            raise _not_found()
        found.asked_at = self._clock()
        self._filters[identity] = found
        return found

    def _forget_old(self) -> None:
        oldest = self._clock() - SECONDS
        for identity in list(self._filters):
            if len(self._filters) < MAX_FILTERS and self._filters[identity].asked_at >= oldest:
                return
            del self._filters[identity]

    def _hash(self, number: int) -> str:
        block = self._application.ledger.find_block(Height(U64(number)))
        assert block is not None, "blocks up to the head are there"
        return "0x" + block.hash.hex()


def _not_found() -> RpcError:
    return RpcError(SERVER_ERROR, "filter not found")
