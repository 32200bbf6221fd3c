"""What the placement engine is asked: one app's wishes, and where it already is."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from flux.contracts.apps.types import AppSpec
from flux.contracts.market.exchange import bill_of, limit_in_flux
from flux.contracts.market.rules import ARCHITECTURES, Needs, needs_of
from flux.contracts.nodes.types import Architecture, Currency, NodeId
from flux.contracts.oracle.types import UsdPrice


class Spread(IntEnum):
    """The widest fault domain that instances of an app should not share; the narrower ones are tried after it."""

    NONE = 0
    COUNTRY = 1
    PREFIX = 2
    """Network prefix, then country."""
    OPERATOR = 3
    """Operator, then network prefix, then country."""


SPREADS = {"none": Spread.NONE, "country": Spread.COUNTRY, "prefix": Spread.PREFIX, "operator": Spread.OPERATOR}


@dataclass(frozen=True, slots=True)
class Wish:
    """One app's needs and constraints: the same for all of its instances."""

    needs: Needs
    min_tier: int
    architectures: frozenset[Architecture]
    geo: tuple[str, ...]
    static_ip: bool
    gpu_model: str
    """Empty for any; it only matters when a GPU is needed."""
    limit: int
    """Highest price accepted, milli-gwei per hour."""
    spread: Spread
    bill: Currency | None = None
    """The currency of the app's leases; None for that of each node's ask."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Where an app's instances are and must not go."""

    hosts: tuple[NodeId, ...] = ()
    """Nodes with an open lease of the app."""
    excluded: tuple[NodeId, ...] = ()


class Demand(NamedTuple):
    """Instances of one app to place, one after the other."""

    wish: Wish
    presence: Presence
    leaving: tuple[NodeId | None, ...]
    """For each instance the node that it leaves, if any: still a host, but its fault domains do not count."""
    preferred: tuple[NodeId | None, ...] = ()
    """For each instance the node that holds its volumes, if any: it is chosen if it can be. Empty for none at all."""
    ready: tuple[NodeId, ...] = ()
    """Nodes that hold the app's images: what does not go back to its volumes takes the first of them that can."""


class Choice(NamedTuple):
    """The node that takes an instance."""

    node: NodeId
    price: int
    """Milli-gwei per hour."""


def wish_of(spec: AppSpec, price: UsdPrice) -> Wish:
    """What a spec asks of a node at a price of FLUX. Words that `apps` does not admit match no node."""
    wanted = spec.constraints
    return Wish(
        needs=needs_of(spec),
        min_tier=wanted.min_tier,
        architectures=frozenset(ARCHITECTURES[name] for name in wanted.architectures if name in ARCHITECTURES),
        geo=wanted.geo,
        static_ip=wanted.static_ip,
        gpu_model=wanted.gpu_model,
        limit=limit_in_flux(wanted, price),
        spread=SPREADS.get(wanted.spread, Spread.OPERATOR),
        bill=bill_of(wanted),
    )
