"""What a chain's log says of a block."""

from types import SimpleNamespace
from typing import Any

from structlog.testing import capture_logs

from flux.contracts import addresses
from flux.contracts.apps.types import AppId
from flux.contracts.market.types import LeaseId, LeaseRunning
from flux.contracts.nodes.types import NodeId
from flux.kernel.events import Log, event_codec
from flux.primitives.types import U32, U64, Hash
from flux.services.observe.chain_log import LINES_PER_BLOCK, tell


def running(lease: int) -> Log:
    event = LeaseRunning(LeaseId(U64(lease)), AppId(U64(2)), NodeId(U32(3)))
    return event_codec(LeaseRunning).encode(addresses.MARKET, event)


def block(*logs: Log) -> Any:
    transaction, receipt = SimpleNamespace(hash=Hash(b"\x01" * 32)), SimpleNamespace(logs=logs)
    made = SimpleNamespace(number=9, transactions=[transaction])
    return SimpleNamespace(block=made, receipts=[receipt], dropped=(), faults=())


def test_an_event_is_told_with_the_ids_that_join_it_to_others() -> None:
    with capture_logs() as lines:
        tell(block(running(1), Log(addresses.MARKET, (), b"")))
    (line,) = lines
    assert line["event"] == "lease running"
    assert (line["block"], line["lease"], line["app"], line["node"]) == (9, 1, 2, 3)
    assert line["transaction"] == "0x" + "01" * 32


def test_events_beyond_the_bound_are_counted() -> None:
    with capture_logs() as lines:
        tell(block(*(running(number) for number in range(LINES_PER_BLOCK + 5))))
    assert len(lines) == LINES_PER_BLOCK + 1
    assert (lines[-1]["event"], lines[-1]["events"]) == ("more events in this block", 5)
