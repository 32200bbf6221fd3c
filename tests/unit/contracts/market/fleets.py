"""Random fleets and requests, ordinary and at the bounds of every column."""

from hypothesis import strategies as st

from flux.contracts.market.fleet import NodeFacts
from flux.contracts.market.requests import Demand, Presence, Spread, Wish
from flux.contracts.market.rules import MAX_ASK, MAX_NEEDS, NO_PRICE, Needs, price_limit
from flux.contracts.nodes.types import (
    MAX_USD_ASK,
    Architecture,
    Ask,
    Currency,
    Endpoint,
    Hardware,
    Location,
    Node,
    NodeId,
    NodeStatus,
    Tier,
)
from flux.contracts.oracle.types import UsdPrice
from flux.primitives.types import Hash

PLACES = [
    Location("EU", "DE", "Berlin"),
    Location("EU", "DE", "Hesse"),
    Location("EU", "FR", ""),
    Location("EU", "CZ", ""),
    Location("NA", "US", "TX"),
    Location("AS", "JP", ""),
]
GEO = [(), ("acEU",), ("acEU_DE",), ("acEU", "a!cEU_CZ"), ("acEU_DE_Berlin", "acNA"), ("a!cEU",), ("acOC",)]
MODELS = ["", "H100", "RTX 4090"]
U32_MAX = 2**32 - 1


def near(*values: int) -> st.SearchStrategy[int]:
    """The values and their neighbours, and small numbers."""
    around = sorted({max(0, value + step) for value in values for step in (-1, 0, 1)})
    return st.one_of(st.sampled_from(around), st.integers(0, 5))


def make_node(
    number: int,
    *,
    ask: Ask = Ask(100, 10, 1, 1000),  # noqa: B008
    hardware: Hardware = Hardware(4000, 8192, 100_000, Architecture.AMD64, 0, ""),  # noqa: B008
    place: Location = PLACES[0],
    operator: int | None = None,
    **changes: object,
) -> Node:
    """A node that can run most things."""
    return Node(
        id=NodeId(number),
        operator=(operator if operator is not None else number).to_bytes(20, "big"),
        agent=(number + 2**32).to_bytes(20, "big"),
        status=NodeStatus.ACTIVE,
        tier=Tier.CUMULUS,
        endpoint=Endpoint(
            f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 16127, b"c" * 32, b"s" * 32, False, False
        ),
        location=place,
        hardware=hardware,
        ask=ask,
        registered_at=1_700_000_000,
        status_since=1_700_000_000,
        status_reason="",
    ).but(**changes)


usd_prices = st.sampled_from([0, 1, 3, 5 * 10**6, 10**8, 10**14])
"""Prices of FLUX, from none over the lowest to the highest."""


@st.composite
def facts(draw: st.DrawFn, number: int, *, extreme: bool) -> NodeFacts:
    """One node's facts."""
    prices = [1, 2, 3, 100] if not extreme else []
    currency = draw(st.sampled_from(Currency))
    if prices:
        ask = Ask(*(draw(st.sampled_from(prices)) for _ in range(4)), currency)
    elif currency is Currency.USD:
        ask = Ask(*(draw(st.one_of(near(most), st.integers(0, most))) for most in [MAX_USD_ASK] * 4), currency)
        ask = Ask(*(min(price, MAX_USD_ASK) for price in (ask.cpu, ask.memory, ask.disk, ask.gpu)), currency)
    else:
        ask = Ask(*(draw(near(most)) for most in MAX_ASK))
    sizes = near(*((1000, 2000, 4000) if not extreme else (*MAX_NEEDS, U32_MAX - 1)))
    hardware = Hardware(
        draw(sizes),
        draw(sizes),
        draw(sizes),
        draw(st.sampled_from(Architecture)),
        draw(st.sampled_from([0, 0, 1, 2, 63, 64, 65, 255])),
        draw(st.sampled_from(MODELS)),
    )
    node = make_node(
        number,
        ask=ask,
        hardware=hardware,
        place=draw(st.sampled_from(PLACES)),
        operator=draw(st.integers(1, 4)),
        tier=draw(st.sampled_from([Tier.CUMULUS, Tier.CUMULUS, Tier.NIMBUS, Tier.STRATUS, Tier.NONE])),
        status=draw(st.sampled_from([NodeStatus.ACTIVE] * 7 + [NodeStatus.SUSPENDED, NodeStatus.LEAVING])),
        registered_at=draw(st.sampled_from([0, 2_592_000, 2_592_001, 1_700_000_000, 2**64 - 1])),
    )
    node = node.but(endpoint=node.endpoint.but(static_ip=draw(st.booleans())))
    node = node.but(located=draw(st.sampled_from([True, True, True, False])))
    node = node.but(drains_until=draw(st.sampled_from([0] * 9 + [1])))
    used = Needs(
        *(
            draw(st.sampled_from([0, 0, 0, 1, size // 2, size]))
            for size in (hardware.cpu_milli, hardware.memory_mib, hardware.disk_mib, hardware.gpu_count)
        )
    )
    return NodeFacts(
        node,
        draw(st.sampled_from(["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "example.com"])),
        draw(st.sampled_from([False] * 9 + [True])),
        used,
        draw(st.sampled_from([0, 1, 2, 50, 50, 50])),
    )


@st.composite
def wishes(draw: st.DrawFn, *, extreme: bool) -> Wish:
    """One app's wish."""
    bounds = MAX_NEEDS if extreme else (1000, 2000, 4000, 2)
    needs = Needs(*(draw(near(0, bound)) for bound in bounds[:3]), draw(st.sampled_from([0, 0, 0, 1, bounds[3], 65])))
    return Wish(
        needs=needs,
        min_tier=draw(st.sampled_from([0, 1, 1, 1, 2, 3, 4])),
        architectures=frozenset(
            draw(st.sampled_from([(Architecture.AMD64,), tuple(Architecture), tuple(Architecture), ()]))
        ),
        geo=draw(st.sampled_from(GEO)),
        static_ip=draw(st.sampled_from([False, False, True])),
        gpu_model=draw(st.sampled_from([*MODELS, "unheard of"])),
        limit=draw(st.sampled_from([NO_PRICE - 1, NO_PRICE - 1, price_limit(1), price_limit(5), price_limit(2**52)])),
        spread=draw(st.sampled_from(Spread)),
    )


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[NodeFacts], list[Demand], Hash, UsdPrice]:
    """A fleet, demands, a block seed and a price of FLUX."""
    extreme = draw(st.booleans())
    size = draw(st.integers(0, 24))
    fleet = [draw(facts(number, extreme=extreme)) for number in range(1, size + 1)]
    nodes = st.lists(st.integers(1, size), max_size=3, unique=True) if size else st.just([])
    holder = st.sampled_from([None, *range(1, size + 1)])
    demands: list[Demand] = []
    for _ in range(draw(st.integers(1, 6))):
        presence = Presence(tuple(draw(nodes)), tuple(draw(nodes)))
        leaving = st.lists(st.sampled_from([None, None, *presence.hosts]), min_size=1, max_size=4)
        left = tuple(draw(leaving))
        holders = st.lists(holder, min_size=len(left), max_size=len(left)) if draw(st.booleans()) else st.just([])
        ready = tuple(draw(nodes))
        demands.append(Demand(draw(wishes(extreme=extreme)), presence, left, tuple(draw(holders)), ready))
    return fleet, demands, Hash(draw(st.binary(min_size=32, max_size=32))), UsdPrice(draw(usd_prices))
