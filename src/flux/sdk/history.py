"""What the chain recorded of an app, in order, read from logs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flux.contracts import addresses
from flux.contracts.apps.types import AppId
from flux.kernel.events import Event
from flux.primitives.hexadecimal import from_hex, quantity, to_hex
from flux.primitives.types import U64, Hash, Height, Timestamp
from flux.sdk.client import FluxClient, parse_log
from flux.sdk.known import find_event

RANGE = 50_000
"""Blocks per query; the chain answers at most 100,000."""
_CONTRACTS = (addresses.APPS, addresses.MARKET, addresses.ESCROW, addresses.SECRETS)


@dataclass(frozen=True, slots=True)
class Happened:
    """One event and where it stands."""

    block: Height
    timestamp: Timestamp
    transaction: Hash
    index: int
    """Of the log in its block."""
    event: Event


async def app_history(
    client: FluxClient, app: AppId, *, first_block: int = 0, last_block: int | None = None
) -> list[Happened]:
    """Every event of an app up to the newest block, oldest first."""
    last = (await client.head()).number if last_block is None else last_block
    ranges = [(start, min(start + RANGE - 1, last)) for start in range(first_block, last + 1, RANGE)]
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for start, end in ranges:
        for log in await _logs(client, app, start, end):
            found[int(log["blockNumber"], 16), int(log["logIndex"], 16)] = log
    events = [(place, log, _event(log)) for place, log in sorted(found.items(), key=lambda item: item[0])]
    mine = [(place, log, event) for place, log, event in events if event is not None and _app_of(event) == app]
    times = await _timestamps(client, sorted({place[0] for place, _, _ in mine}))
    return [
        Happened(Height(U64(block)), times[block], Hash(from_hex(log["transactionHash"])), index, event)
        for (block, index), log, event in mine
    ]


async def _logs(client: FluxClient, app: AppId, start: int, end: int) -> list[dict[str, Any]]:
    """Logs with the app's number as first or second indexed field; other ids look alike and are sorted out later."""
    topic = "0x" + app.to_bytes(32, "big").hex()
    query = {"fromBlock": quantity(start), "toBlock": quantity(end)}
    by_first = {**query, "address": [to_hex(address) for address in _CONTRACTS], "topics": [None, topic]}
    by_second = {**query, "address": to_hex(addresses.MARKET), "topics": [None, None, topic]}
    answers = await asyncio.gather(
        client.transport.request("eth_getLogs", by_first), client.transport.request("eth_getLogs", by_second)
    )
    return [log for answer in answers for log in answer]


def _event(log: dict[str, Any]) -> Event | None:
    parsed = parse_log(log)
    return find_event(list(parsed.topics), parsed.data)


def _app_of(event: Event) -> int | None:
    return getattr(event, "app", None)


async def _timestamps(client: FluxClient, blocks: Sequence[int]) -> dict[int, Timestamp]:
    answers = await client.transport.batch([("eth_getBlockByNumber", (quantity(block), False)) for block in blocks])
    return {block: Timestamp(U64(int(answer["timestamp"], 16))) for block, answer in zip(blocks, answers, strict=True)}
