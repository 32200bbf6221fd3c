"""Pure decisions of measuring: who is measured, medians, tiers by speed, and how near a node must be."""

from collections.abc import Sequence
from math import isqrt

from flux.contracts.benchmarks.places import EARTH_RADIUS, PLACES
from flux.contracts.benchmarks.types import Measurement, TierBenchmark
from flux.contracts.nodes.types import NodeId, Tier
from flux.primitives.keccak import keccak256
from flux.primitives.types import U32, Hash

PURPOSE = b"benchmark"
"""Committees that measure are drawn apart from those that probe."""
_TIERS = (Tier.CUMULUS, Tier.NIMBUS, Tier.STRATUS)
_BASIS = 10_000
MICROSECONDS = 1_000_000


def is_sampled(seed: Hash, node: NodeId, basis_points: int) -> bool:
    """Whether the epoch's seed picks the node."""
    digest = keccak256(seed + b"sample" + node.to_bytes(4, "big"))
    return int.from_bytes(digest[:8], "big") % _BASIS < basis_points


def is_quorum(votes: int, seats: int) -> bool:
    """More than half of the seats, not of those who spoke."""
    return 2 * votes > seats


def median(measurements: Sequence[Measurement]) -> Measurement:
    """Field by field; of an even number the better of the two in the middle for rates, the lower for times."""
    rates = {
        name: sorted(getattr(item, name) for item in measurements)[len(measurements) // 2]
        for name in ("cpu_events", "memory_mib", "disk_mib", "network_mbit")
    }
    times = {
        name: sorted(getattr(item, name) for item in measurements)[(len(measurements) - 1) // 2]
        for name in ("disk_latency_us", "round_trip_us")
    }
    return Measurement(**{name: U32(value) for name, value in (rates | times).items()})


def reached_tier(tiers: Sequence[TierBenchmark], measured: Measurement) -> Tier:
    """The highest tier whose speeds the node reaches, all lower ones included; NONE if there is none."""
    reached = Tier.NONE
    for tier, needs in zip(_TIERS, tiers, strict=True):
        if (
            measured.cpu_events < needs.cpu_events
            or measured.disk_mib < needs.disk_mib
            or measured.network_mbit < needs.network_mbit
        ):
            break
        reached = tier
    return reached


def least_distance(one: str, other: str) -> int:
    """Kilometres that lie between two countries at the very least; 0 when that is not known.

    Centres are points on a sphere. From their chord c the arc is at least c + c³ / 24R² (the first terms of the arc
    sine's series, all of which are positive); less both radii it is a lower bound for any two points of the countries.
    """
    here, there = PLACES.get(one), PLACES.get(other)
    if here is None or there is None:
        return 0
    chord = isqrt((here.x - there.x) ** 2 + (here.y - there.y) ** 2 + (here.z - there.z) ** 2)
    arc = chord + chord**3 // (24 * EARTH_RADIUS**2)
    return max(0, arc - here.radius - there.radius)


def is_too_fast(member_country: str, node_country: str, round_trip_us: int, kilometres_per_second: int) -> bool:
    """Whether an answer after this round trip cannot have come from there; without an answer nothing is known."""
    reach = round_trip_us * kilometres_per_second // (2 * MICROSECONDS)
    return round_trip_us > 0 and least_distance(member_country, node_country) > reach
