"""eth_*: searching logs. The filter object is also what subscriptions and polling filters take."""

from dataclasses import dataclass

from flux.chain.application import Application
from flux.chain.logs import LogQuery
from flux.chain.transaction_errors import SERVER_ERROR
from flux.primitives.types import Address, Hash
from flux.rpc import format, parameters
from flux.rpc.blocks import find_block, height
from flux.rpc.errors import InvalidParameter, RpcError, invalid_params
from flux.rpc.format import Json
from flux.rpc.methods import Table, scan
from flux.rpc.parameters import BlockSelector, Tag

MAX_ALTERNATIVES = 1_000
"""Addresses of a filter, and topics in one position."""
MAX_POSITIONS = 4

_MEMBERS = frozenset(("fromBlock", "toBlock", "blockHash", "address", "topics"))


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which logs a client wants; blocks still as the client named them."""

    from_block: BlockSelector
    to_block: BlockSelector
    addresses: frozenset[Address]
    topics: tuple[frozenset[Hash], ...]


class Logs:
    """Logs of committed blocks."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def table(self) -> Table:
        """The methods."""
        return {"eth_getLogs": scan(self.logs, log_filter)}

    def logs(self, wanted: LogFilter) -> list[Json]:
        """The logs that a filter wants, in order."""
        query = log_query(self._application, wanted)
        return [] if query is None else [format.log(found) for found in self._application.ledger.logs(query)]


def log_query(application: Application, wanted: LogFilter) -> LogQuery | None:
    """The search of a filter; None when it begins after the newest block. Raises RpcError."""
    if isinstance(wanted.from_block, bytes):
        found = find_block(application, wanted.from_block)
        if found is None:
            raise RpcError(SERVER_ERROR, "unknown block")
        return LogQuery(found.number, found.number, wanted.addresses, wanted.topics)
    first, last = height(application, wanted.from_block), height(application, wanted.to_block)
    if first > last:
        raise invalid_params("invalid block range params: fromBlock is after toBlock")
    newest = application.ledger.head().number
    return None if first > newest else LogQuery(first, min(last, newest), wanted.addresses, wanted.topics)


def log_filter(value: object) -> LogFilter:
    """A filter object. Raises InvalidParameter."""
    members = parameters.members(value, _MEMBERS)
    addresses, topics = _addresses(members.get("address")), _topics(members.get("topics"))
    if "blockHash" in members:
        if "fromBlock" in members or "toBlock" in members:
            raise InvalidParameter("cannot specify both blockHash and fromBlock/toBlock, choose one or the other")
        block_hash = parameters.hash32(members["blockHash"])
        return LogFilter(block_hash, block_hash, addresses, topics)
    first = parameters.block_number(members["fromBlock"]) if "fromBlock" in members else Tag.LATEST
    last = parameters.block_number(members["toBlock"]) if "toBlock" in members else Tag.LATEST
    return LogFilter(first, last, addresses, topics)


def _addresses(value: object) -> frozenset[Address]:
    if value is None:
        return frozenset()
    if isinstance(value, str):
        return frozenset((parameters.address(value),))
    return frozenset(parameters.list_of(parameters.address, MAX_ALTERNATIVES)(value))


def _topics(value: object) -> tuple[frozenset[Hash], ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidParameter(f"topics must be an array, got {parameters.shown(value)}")
    if len(value) > MAX_POSITIONS:
        raise InvalidParameter("exceed max topics: a log has at most four")
    return tuple(_position(item) for item in value)


def _position(value: object) -> frozenset[Hash]:
    """What one position may be: anything (null), one topic, or any of several; null among them means anything."""
    if value is None:
        return frozenset()
    if isinstance(value, str):
        return frozenset((parameters.hash32(value),))
    if isinstance(value, list) and None in value:
        return frozenset()
    return frozenset(parameters.list_of(parameters.hash32, MAX_ALTERNATIVES)(value))
