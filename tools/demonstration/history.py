"""What a contract did since the chain began, from its events."""

from typing import NamedTuple

from flux.kernel.events import Event
from flux.primitives.hexadecimal import from_hex, to_hex
from flux.primitives.types import Address, Hash
from flux.sdk.client import FluxClient
from flux.sdk.known import find_event


class Past(NamedTuple):
    """An event and where it happened."""

    block: int
    event: Event


async def history(client: FluxClient, contract: Address, subject: int | None = None) -> list[Past]:
    """All events of a contract, in order; with `subject` only those whose first indexed field it is."""
    topics = [] if subject is None else [None, to_hex(subject.to_bytes(32, "big"))]
    query = {"fromBlock": "0x0", "toBlock": "latest", "address": to_hex(contract), "topics": topics}
    past = []
    for log in await client.transport.request("eth_getLogs", query):
        event = find_event([Hash(from_hex(item)) for item in log["topics"]], from_hex(log["data"]))
        if event is not None:
            past.append(Past(int(log["blockNumber"], 16), event))
    return past
