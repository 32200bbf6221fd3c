"""Pure arithmetic and decisions of the market: what an instance needs, what it costs, who may run it, in which order.

Everything here is exact in Python integers. The vectorised engine (placement.py) computes the same in int64, which the
bounds below make safe: with every need at most `MAX_NEEDS` and every ask at most `MAX_ASK`, the largest product on the
way to a price is 2**60 and a price is below 2**61, so comparisons with `NO_PRICE` = 2**62 never overflow.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flux.contracts.apps.types import AppSpec
from flux.contracts.market.types import AT_MOST_ONE_LAPSE, FailReason, PortBinding, RatePerSecond, Rejection
from flux.contracts.nodes.types import Architecture, Ask, Location, Node, NodeId, NodeStatus
from flux.primitives import geo
from flux.primitives.geo import GeoRule
from flux.primitives.types import U256, ChainTime, Hash, Seconds, Wei


class Needs(NamedTuple):
    """What one instance takes of a node."""

    cpu_milli: int
    memory_mib: int
    disk_mib: int
    gpu_count: int


MAX_NEEDS = Needs(1 << 20, 1 << 20, 1 << 23, 64)
"""The largest instance that can be placed: 1,048 cores, 1 TiB of memory, 8 TiB of disk, 64 GPUs."""
MAX_ASK = Needs(1 << 40, 1 << 33, 1 << 30, 1 << 42)
"""The highest ask per resource, gwei per hour, that is ever chosen: 1,099 FLUX per core, 8.5 per GiB of memory, 1 per
GiB of disk, 4,398 per GPU."""
NO_PRICE = 1 << 62
"""Above every price."""

COHORT_SECONDS = 30 * 86_400
"""Nodes that registered in the same 30 days count as equally proven."""
MAX_COHORT = (1 << 22) - 1
TIE_BITS = 40

GOLDEN = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
MASK_64 = (1 << 64) - 1

ARCHITECTURES = {"amd64": Architecture.AMD64, "arm64": Architecture.ARM64}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
"""Control characters, line separators and direction overrides; not `isprintable`, which differs between Pythons."""

PROTOCOLS = {"tcp": 6, "udp": 17}
"""IANA protocol numbers by the spec's words."""


def needs_of(spec: AppSpec) -> Needs:
    """Sums over components; disk is the writable layers and the named volumes."""
    return Needs(
        sum(component.cpu_milli for component in spec.components),
        sum(component.memory_mib for component in spec.components),
        sum(component.disk_mib for component in spec.components) + sum(volume.size_mib for volume in spec.volumes),
        spec.constraints.gpu_count,
    )


def price_of(needs: Needs, ask: Ask) -> int:
    """Price of one instance in milli-gwei per hour (1000/1024 = 125/128)."""
    return (
        needs.cpu_milli * ask.cpu
        + (needs.memory_mib * 125 * ask.memory >> 7)
        + (needs.disk_mib * 125 * ask.disk >> 7)
        + needs.gpu_count * 1000 * ask.gpu
    )


def rate_of(price: int) -> RatePerSecond:
    """Wei per second of a price in milli-gwei per hour, rounded down."""
    return RatePerSecond(Wei(U256(price * 10**6 // 3600)))


def is_placeable(needs: Needs) -> bool:
    """Whether the needs lie inside the engine's bounds."""
    return all(need <= most for need, most in zip(needs, MAX_NEEDS, strict=True))


def is_payable(ask: Ask) -> bool:
    """Whether the ask lies inside the engine's bounds."""
    return (
        ask.cpu <= MAX_ASK.cpu_milli
        and ask.memory <= MAX_ASK.memory_mib
        and ask.disk <= MAX_ASK.disk_mib
        and ask.gpu <= MAX_ASK.gpu_count
    )


def price_limit(max_price_gwei_hour: int) -> int:
    """The highest price accepted, in milli-gwei per hour; 0 means any."""
    return min(max_price_gwei_hour * 1000, NO_PRICE - 1) if max_price_gwei_hour else NO_PRICE - 1


def cohort_of(registered_at: ChainTime) -> int:
    """Which 30 days a node registered in; a lower number has proven itself longer and goes first at equal price."""
    return min(registered_at // COHORT_SECONDS, MAX_COHORT)


def tie_of(seed: Hash, node: NodeId) -> int:
    """The block's own order among equals: 40 bits of SplitMix64 over the block seed and the node id.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014).
    """
    mixed = (int.from_bytes(seed[:8], "big") + node * GOLDEN) & MASK_64
    mixed = (mixed ^ (mixed >> 30)) * MIX_1 & MASK_64
    mixed = (mixed ^ (mixed >> 27)) * MIX_2 & MASK_64
    return (mixed ^ (mixed >> 31)) >> (64 - TIE_BITS)


def find_rules(geo_rules: Sequence[str]) -> list[GeoRule] | None:
    """Geolocation rules from their texts; None when one does not parse, which allows no place at all."""
    try:
        return [geo.parse(rule) for rule in geo_rules]
    except geo.GeoError:
        return None


def allows_place(rules: Sequence[GeoRule] | None, location: Location) -> bool:
    """Whether the rules let an instance run there."""
    return rules is not None and geo.allows(rules, location.continent, location.country, location.region)


def static_rejection(spec: AppSpec, node: Node, *, suspect: bool) -> Rejection:
    """The first reason that does not depend on capacity or price: status, tier, architecture, place, address."""
    wanted = spec.constraints
    if node.status is not NodeStatus.ACTIVE or suspect:
        return Rejection.NOT_ACTIVE
    if node.drains_until:
        return Rejection.DRAINING
    if node.tier < wanted.min_tier:
        return Rejection.TIER
    if node.hardware.architecture not in [ARCHITECTURES.get(name) for name in wanted.architectures]:
        return Rejection.ARCHITECTURE
    if wanted.geo and not allows_place(find_rules(wanted.geo), node.location):
        return Rejection.GEO
    if wanted.geo and not node.located:
        return Rejection.LOCATION
    if wanted.static_ip and not node.endpoint.static_ip:
        return Rejection.STATIC_IP
    return Rejection.NONE


def capacity_rejection(spec: AppSpec, needs: Needs, node: Node, used: Needs) -> Rejection:
    """The first resource that is short: GPU, then cpu, memory, disk."""
    hardware = node.hardware
    wrong_model = spec.constraints.gpu_model not in ("", hardware.gpu_model)
    if needs.gpu_count and (wrong_model or needs.gpu_count > min(hardware.gpu_count - used.gpu_count, MAX_NEEDS[3])):
        return Rejection.GPU
    if needs.cpu_milli > min(hardware.cpu_milli - used.cpu_milli, MAX_NEEDS.cpu_milli):
        return Rejection.CPU
    if needs.memory_mib > min(hardware.memory_mib - used.memory_mib, MAX_NEEDS.memory_mib):
        return Rejection.MEMORY
    if needs.disk_mib > min(hardware.disk_mib - used.disk_mib, MAX_NEEDS.disk_mib):
        return Rejection.DISK
    return Rejection.NONE


class Circumstances(NamedTuple):
    """What else decides about one node for one app."""

    suspect: bool
    used: Needs
    excluded: bool
    hosts_already: bool
    slots_free: int


def verdict(spec: AppSpec, node: Node, ask: Ask, limit: int, facts: Circumstances) -> Rejection:
    """Why the node would not be chosen for an instance of the spec, checked in the order of `Rejection`.

    `ask` is the node's in FLUX, `limit` the spec's maximum in milli-gwei per hour (exchange.py).
    """
    needs = needs_of(spec)
    rejection = static_rejection(spec, node, suspect=facts.suspect)
    if rejection is Rejection.NONE:
        rejection = capacity_rejection(spec, needs, node, facts.used)
    if rejection is not Rejection.NONE:
        return rejection
    if not is_payable(ask) or price_of(needs, ask) > limit:
        return Rejection.PRICE
    if facts.excluded:
        return Rejection.EXCLUDED
    if facts.hosts_already:
        return Rejection.HOSTS_ALREADY
    if facts.slots_free <= 0:
        return Rejection.SLOTS
    return Rejection.NONE


def verdict_in_place(
    spec: AppSpec, node: Node, ask: Ask, limit: int, facts: Circumstances, *, accepted: bool
) -> Rejection:
    """The same for an instance that is there already; `accepted` says whether what it would cost there is."""
    rejection = verdict(spec, node, ask, limit, facts)
    if rejection is not Rejection.PRICE or not is_payable(ask):
        return rejection
    if not accepted:
        return Rejection.PRICE
    return Rejection.NONE if facts.slots_free > 0 else Rejection.SLOTS


def fence_of(spec: AppSpec, margin: Seconds) -> int:
    """Seconds after the end of a lease for which an instance that must not run twice may still run at its node.

    A node that reads the end stops at once. One that cannot read the chain stops `AT_MOST_ONE_LAPSE` after it asked for
    the last head in which the lease was open (agent/lapse.py), which was before the end. Either way a stop takes as
    long as the graces of all components, one after the other. The margin is for engines, for looking at the clock, and
    for the seconds in which the chain counts.
    """
    return AT_MOST_ONE_LAPSE + sum(component.stop_grace_seconds for component in spec.components) + margin


def failure(reason: FailReason, detail: str) -> str:
    """A failure as a sentence that is kept, without characters that could disturb a terminal."""
    words = reason.name.lower().replace("_", " ")
    plain = _CONTROL.sub(" ", detail).strip(" ")
    return f"{words}: {plain}" if plain else words


def find_binding_fault(spec: AppSpec, bindings: Iterable[PortBinding]) -> str | None:
    """What is wrong with reported bindings: they must name every declared port exactly once; None when they do."""
    declared = {
        (component.name, port.container, PROTOCOLS[port.protocol])
        for component in spec.components
        for port in component.ports
    }
    if spec.http is not None:
        declared.add((spec.http.component, spec.http.port, PROTOCOLS["tcp"]))
    hosts: set[tuple[int, int]] = set()
    for binding in bindings:
        port = (binding.component, int(binding.container), int(binding.protocol))
        name = f"{binding.component}:{binding.container}/{binding.protocol}"
        if port not in declared:
            return f"{name} is not declared by the spec or is named twice"
        if not binding.host or (binding.host, binding.protocol) in hosts:
            return f"host port {binding.host} of {name} is zero or bound twice"
        declared.discard(port)
        hosts.add((binding.host, binding.protocol))
    if declared:
        missing = min(declared)
        return f"{missing[0]}:{missing[1]}/{missing[2]} is declared by the spec but not bound"
    return None
