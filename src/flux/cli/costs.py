"""What an app cost, by lease and by day, from the escrow's events. Pure.

The escrow pays when it is touched, for a time that ends then or shortly before; a day's cost is that part of each
payment whose seconds fall into the day (UTC). What has accrued and is not paid out yet is in neither.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flux.cli.format import DAY
from flux.contracts.escrow.types import HostPaid
from flux.contracts.market.standby_types import StandbyChosen
from flux.contracts.market.types import LeaseAssigned, LeaseId
from flux.contracts.nodes.types import NodeId
from flux.sdk.history import Happened


@dataclass(frozen=True, slots=True)
class LeaseCost:
    """One lease."""

    lease: LeaseId
    ordinal: int | None
    """None where its placement is not in the history that was read."""
    node: NodeId
    seconds: int
    wei: int
    """Fee included."""
    stood_by: bool = False
    """Whether this is no lease but a node that held the images ready."""


def by_lease(history: Sequence[Happened]) -> list[LeaseCost]:
    """By lease's number; those that were never paid for are left out."""
    ordinals = {
        happened.event.lease: int(happened.event.ordinal)
        for happened in history
        if isinstance(happened.event, LeaseAssigned)
    }
    standbys = {happened.event.number for happened in history if isinstance(happened.event, StandbyChosen)}
    found: dict[LeaseId, LeaseCost] = {}
    for _, event in _payments(history):
        known = found.get(event.lease)
        seconds, wei = (0, 0) if known is None else (known.seconds, known.wei)
        found[event.lease] = LeaseCost(
            event.lease,
            ordinals.get(event.lease),
            event.node,
            seconds + event.seconds,
            wei + event.amount + event.fee,
            event.lease in standbys,
        )
    return [found[lease] for lease in sorted(found)]


def by_day(history: Sequence[Happened]) -> Mapping[str, int]:
    """Wei by day (2026-11-27), in order; the sum is that of `by_lease`."""
    days: dict[int, int] = {}
    for end, event in _payments(history):
        for day, wei in _spread(end, event.seconds, event.amount + event.fee):
            days[day] = days.get(day, 0) + wei
    return {time.strftime("%Y-%m-%d", time.gmtime(day * DAY)): days[day] for day in sorted(days)}


def _payments(history: Sequence[Happened]) -> Iterator[tuple[int, HostPaid]]:
    for happened in history:
        if isinstance(happened.event, HostPaid):
            yield int(happened.timestamp), happened.event


def _spread(end: int, seconds: int, wei: int) -> Iterator[tuple[int, int]]:
    """(day, its part); what rounding leaves over goes to the last day."""
    last = max(0, end - 1) // DAY
    left = wei
    begin = end - seconds
    for day in range(begin // DAY, last):
        overlap = min(end, (day + 1) * DAY) - max(begin, day * DAY)
        part = wei * overlap // seconds if seconds else 0
        left -= part
        yield day, part
    yield last, left
