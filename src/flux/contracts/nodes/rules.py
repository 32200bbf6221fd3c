"""Pure decisions of the nodes contract: which tier, and whether a declaration makes sense.

Declarations are text and numbers that every client will read and that placement computes with, so anything ambiguous is
refused: one address has one spelling, one place one code. `check_*` raises InvalidDeclaration.
"""

import ipaddress
import re
from collections.abc import Sequence

from flux.contracts.market.types import Usage
from flux.contracts.nodes.types import (
    MAX_USD_ASK,
    Ask,
    Currency,
    Endpoint,
    Hardware,
    InsufficientHardware,
    InsufficientStake,
    InvalidDeclaration,
    Location,
    NodeId,
    NodesParams,
    NodeStatus,
    Tier,
    TierRequirement,
)
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.geo import CONTINENTS
from flux.primitives.types import U8, U32, U64, U256, Address, ChainTime, Hash, Wei

MAX_REGION_LENGTH = 40
MAX_GPU_MODEL_LENGTH = 64
MAX_HOST_LENGTH = 253
MAX_GPUS = 64
MAX_PAGE = 1_000
"""Nodes that one call of `nodes` returns."""

CAN_ACTIVATE = (NodeStatus.REGISTERED, NodeStatus.SUSPENDED)
CAN_LEAVE = (NodeStatus.REGISTERED, NodeStatus.ACTIVE, NodeStatus.SUSPENDED)
"""Also the statuses in which an operator may change what the node declares."""

NO_DRAIN = ChainTime(U64(0))
"""In place of a deadline, where a node does not drain."""
TOO_SLOW = "its committee measured less than the lowest tier asks for"
NO_TIER = "its stake is below every tier"
"""Why a node is suspended whose stake was slashed or undelegated away."""

_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, line separators and direction overrides: none may reach a terminal from a declaration."""
_GPU_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]*", re.ASCII)
_IPV4_SHAPE = re.compile(r"[0-9.]+", re.ASCII)
_IPV6_SHAPE = re.compile(r"[0-9a-f:]+", re.ASCII)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_MAPPED_IPV4 = ipaddress.IPv6Network("::ffff:0:0/96")


def find_tier(params: NodesParams, total: Wei, own: Wei, hardware: Hardware, held: Tier = Tier.NONE) -> Tier:
    """The highest tier that all stake, the operator's part of it and the hardware reach; NONE if there is none.

    Of the stake of tiers up to the one that is `held`, a small part may be missing.
    """
    reached = Tier.NONE
    for tier, needs in zip((Tier.CUMULUS, Tier.NIMBUS, Tier.STRATUS), params.tiers, strict=True):
        stake = _least_to_keep(params, needs.stake) if tier <= held else needs.stake
        if total >= stake and own >= own_part(params, stake) and _reaches(hardware, needs):
            reached = tier
    return reached


def _least_to_keep(params: NodesParams, stake: Wei) -> Wei:
    return Wei(U256(stake - stake * params.tier_tolerance // 10_000))


def check_reaches_tier(tiers: Sequence[TierRequirement], hardware: Hardware) -> None:
    """Whatever the stake, the hardware must do for some tier. Raises InsufficientHardware."""
    if not any(_reaches(hardware, needs) for needs in tiers):
        raise InsufficientHardware(hardware.cpu_milli, hardware.memory_mib, hardware.disk_mib)


def check_own_stake(params: NodesParams, own: Wei) -> None:
    """An operator stands for its node with a part of the lowest tier's stake. Raises InsufficientStake."""
    required = own_part(params, params.tiers[0].stake)
    if own < required:
        raise InsufficientStake(required, own)


def own_part(params: NodesParams, stake: Wei) -> Wei:
    """What of a tier's stake must be the operator's own."""
    return Wei(U256(stake * params.own_stake // 10_000))


def check_keys(operator: Address, agent: Address) -> None:
    """The hot key must be a real one and not the cold one."""
    if agent == ZERO_ADDRESS:
        raise InvalidDeclaration("agent", "it is the zero address; use the one that `flux node init` printed")
    if agent == operator:
        raise InvalidDeclaration("agent", "it is the operator's own key; the agent's key must not hold the stake")


def check_hardware(hardware: Hardware) -> None:
    """GPUs have a model and a sane number; nothing else has one."""
    if hardware.gpu_count > MAX_GPUS:
        raise InvalidDeclaration("hardware", f"{hardware.gpu_count} GPUs are more than the {MAX_GPUS} allowed")
    if (hardware.gpu_count > 0) != (hardware.gpu_model != ""):
        raise InvalidDeclaration("hardware", "a GPU model is given exactly when there are GPUs")
    if hardware.gpu_model and (
        len(hardware.gpu_model) > MAX_GPU_MODEL_LENGTH or not _GPU_MODEL.fullmatch(hardware.gpu_model)
    ):
        raise InvalidDeclaration(
            "hardware", f"a GPU model has 1–{MAX_GPU_MODEL_LENGTH} letters, digits, spaces and . _ / -"
        )


def check_holds(hardware: Hardware, before: Hardware, usage: Usage) -> None:
    """New hardware must still carry what the node's open leases were promised."""
    if usage == Usage(U32(0), U32(0), U32(0), U8(0)):
        return
    for name in ("cpu_milli", "memory_mib", "disk_mib", "gpu_count"):
        offered, used = getattr(hardware, name), getattr(usage, name)
        if offered < used:
            raise InvalidDeclaration("hardware", f"{name} {offered} is less than the {used} that open leases use")
    if (hardware.architecture, hardware.gpu_model) != (before.architecture, before.gpu_model):
        raise InvalidDeclaration("hardware", "architecture and GPU model cannot change while leases are open")


def check_ask(ask: Ask, limit: Ask) -> None:
    """No price above its cap: the caps are what keeps the price of any instance below 2**63."""
    in_usd = ask.currency is Currency.USD
    for name in ("cpu", "memory", "disk", "gpu"):
        price, cap = getattr(ask, name), getattr(limit, name)
        cap = min(cap, MAX_USD_ASK) if in_usd else cap
        if price > cap:
            unit = "billionths of a dollar" if in_usd else "gwei"
            raise InvalidDeclaration("ask", f"{name} at {price} {unit} per hour is above the cap of {cap}")


def check_location(location: Location) -> None:
    """Codes as geolocation rules write them."""
    if location.continent not in CONTINENTS:
        raise InvalidDeclaration("location", f"the continent must be one of {', '.join(CONTINENTS)}")
    if not _COUNTRY.fullmatch(location.country):
        raise InvalidDeclaration("location", "the country must be two upper-case letters (ISO 3166-1 alpha-2)")
    region = location.region
    if len(region) > MAX_REGION_LENGTH or _CONTROL.search(region) or region != region.strip(" "):
        raise InvalidDeclaration(
            "location", f"a region has at most {MAX_REGION_LENGTH} characters, no control characters, no outer spaces"
        )


def check_endpoint(endpoint: Endpoint) -> None:
    """A host that means the same to every client, a port, and keys that are not blank."""
    check_host(endpoint.host)
    if endpoint.port == 0:
        raise InvalidDeclaration("endpoint", "port 0 cannot be connected to")
    for name, value in (("certificate", endpoint.certificate), ("seal_key", endpoint.seal_key)):
        if value == Hash(bytes(32)):
            raise InvalidDeclaration("endpoint", f"its {name} is blank")


def check_host(host: str) -> None:
    """An IP address in its one canonical spelling, or a lower-case host name (RFC 1123)."""
    if not 0 < len(host) <= MAX_HOST_LENGTH:
        raise InvalidDeclaration("endpoint", f"a host has 1–{MAX_HOST_LENGTH} characters")
    if _IPV4_SHAPE.fullmatch(host) or (_IPV6_SHAPE.fullmatch(host) and ":" in host):
        address = _find_ip(host)
        if address is None:
            raise InvalidDeclaration("endpoint", "the host looks like an IP address but is none")
        if address.is_unspecified or address.is_multicast:
            raise InvalidDeclaration("endpoint", "the host is an address that no client can connect to")
        if isinstance(address, ipaddress.IPv6Address) and address in _MAPPED_IPV4:
            raise InvalidDeclaration("endpoint", "write the IPv4 address itself, not its IPv6-mapped form")
        if str(address) != host:
            raise InvalidDeclaration("endpoint", f"write the address as {address}")
        return
    labels = host.split(".")
    if any(not _LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise InvalidDeclaration("endpoint", "the host is neither an IP address nor a lower-case host name")


def network(host: str) -> str:
    """The fault domain of a host that `check_host` accepts: its /24 or /48, or the name's last two labels."""
    address = _find_ip(host)
    if address is None:
        return ".".join(host.split(".")[-2:])
    prefix = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network((address, prefix), strict=False))


def page_limit(limit: int) -> int:
    """How many entries one page returns."""
    return min(limit, MAX_PAGE)


def next_id(count: int) -> NodeId:
    """Ids are dense and begin with 1."""
    return NodeId(U32(count + 1))


def _reaches(hardware: Hardware, needs: TierRequirement) -> bool:
    return (
        hardware.cpu_milli >= needs.cpu_milli
        and hardware.memory_mib >= needs.memory_mib
        and hardware.disk_mib >= needs.disk_mib
    )


def _find_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
