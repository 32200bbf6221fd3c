"""How fast the placement engine decides, on 10,000 nodes, with distinct specs and capacity consumed.

`run()` returns medians per scenario; each scenario is a fleet and a stream of requests in blocks of up to
`BLOCK` requests, as the chain would ask them (a new block seed and a new search per block; their cost is counted).
One app is placed before, since a chain remembers an order of asks from block to block (`market/layout.py`). Rates are
per second of processor time, so that what else runs on the machine weighs less.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flux.contracts.market.fleet import Fleet, NodeFacts
from flux.contracts.market.placement import place
from flux.contracts.market.requests import Demand, Presence, Spread, Wish
from flux.contracts.market.rules import NO_PRICE, Needs, price_limit
from flux.contracts.nodes.types import (
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
from flux.primitives.keccak import keccak256
from flux.primitives.types import U8, U16, U32, U64, Address, ChainTime, Hash

NODES = 10_000
REQUESTS = 4_000
BLOCK = 1_000
ROUNDS = 3
FIVE_CENTS = 5_000_000
"""The price of a FLUX in the oracle's unit."""
COUNTRIES = (
    [("EU", c) for c in ["DE", "FR", "NL", "PL", "FI", "CZ", "ES", "IT", "SE", "RO"]]
    + [("NA", c) for c in ["US", "CA", "MX"]]
    + [("AS", c) for c in ["JP", "SG", "IN", "KR"]]
    + [("OC", "AU"), ("SA", "BR"), ("AF", "ZA")]
)
GEO = [(), (), (), (), ("acEU",), ("acNA",), ("acEU", "a!cEU_DE"), ("acEU_FR",), ("acAS",), ("acOC_AU",)]
SHAPES = [
    (4_000, 7_168, 225_280, Tier.CUMULUS),
    (8_000, 30_720, 450_560, Tier.NIMBUS),
    (16_000, 62_464, 901_120, Tier.STRATUS),
]


@dataclass(frozen=True)
class Scenario:
    """A fleet and what is asked of it."""

    name: str
    ask: Callable[[random.Random], Ask]
    instances: Callable[[random.Random], int]
    constrained: bool = True
    moves: bool = False
    """Whether FLUX has another price in every block, by up to 2 %, and tenants' maximums are in dollars."""
    filled: float = 0.0
    """Share of each node's capacity already taken."""


def ask_of(cpu: float, memory: float, disk: float) -> Ask:
    """An ask in gwei per hour around usual prices."""
    return Ask(U64(int(cpu * 2_000_000)), U64(int(memory * 800_000)), U64(int(disk * 5_000)), U64(300_000_000))


def varied(random_: random.Random) -> Ask:
    """Every node has prices of its own."""
    return ask_of(random_.uniform(0.5, 2), random_.uniform(0.5, 2), random_.uniform(0.5, 2))


def in_either(random_: random.Random) -> Ask:
    """Every node has prices of its own; half of them are in dollars, about the same at five cents a FLUX."""
    ask = varied(random_)
    if random_.random() < 0.5:
        return ask
    return Ask(U64(ask.cpu // 20), U64(ask.memory // 20), U64(ask.disk // 20), U64(ask.gpu // 20), Currency.USD)


def equal(random_: random.Random) -> Ask:
    """Every node asks the same."""
    return ask_of(1, 1, 1)


def listed(random_: random.Random) -> Ask:
    """Prices from a short list, as when most operators keep the suggested ones."""
    return ask_of(random_.choice([0.8, 1, 1, 1, 1.2]), random_.choice([1, 1, 1.5]), random_.choice([1, 1, 2]))


SCENARIOS = [
    Scenario("distinct asks, constraints, 1–5 instances", varied, lambda r: r.choice([1, 1, 2, 3, 3, 5])),
    Scenario("distinct asks, no constraints, 1 instance", varied, lambda r: 1, constrained=False),
    Scenario(
        "half the asks and all maximums in dollars, FLUX moves in every block",
        in_either,
        lambda r: r.choice([1, 1, 2, 3, 3, 5]),
        moves=True,
    ),
    Scenario("asks from a short list, constraints, 1–5 instances", listed, lambda r: r.choice([1, 1, 2, 3, 3, 5])),
    Scenario("equal asks, constraints, 1–5 instances", equal, lambda r: r.choice([1, 1, 2, 3, 3, 5])),
    Scenario("equal asks, no constraints, 1 instance", equal, lambda r: 1, constrained=False),
    Scenario("distinct asks, fleet 90 % full, constraints", varied, lambda r: r.choice([1, 1, 2, 3, 3, 5]), filled=0.9),
    Scenario("distinct asks, 50 instances per app", varied, lambda r: 50),
]


def node_of(number: int, scenario: Scenario, random_: random.Random) -> NodeFacts:
    """One node of a made-up network: a few nodes per operator, a few per network."""
    cpu, memory, disk, tier = random_.choices(SHAPES, [6, 3, 1])[0]
    continent, country = random_.choice(COUNTRIES)
    operator = random_.randrange(NODES // 3)
    network = random_.randrange(NODES // 4)
    node = Node(
        id=NodeId(U32(number)),
        operator=Address(operator.to_bytes(20, "big")),
        agent=Address((number + (1 << 64)).to_bytes(20, "big")),
        status=NodeStatus.ACTIVE,
        tier=tier,
        endpoint=Endpoint("192.0.2.1", U16(16127), Hash(bytes(32)), Hash(bytes(32)), False, random_.random() < 0.5),
        location=Location(continent, country, random_.choice(["", "north", "south"])),
        hardware=Hardware(
            U32(cpu),
            U32(memory),
            U32(disk),
            Architecture.ARM64 if random_.random() < 0.1 else Architecture.AMD64,
            U8(1 if random_.random() < 0.05 else 0),
            "",
        ),
        ask=scenario.ask(random_),
        registered_at=ChainTime(U64(1_700_000_000 + random_.randrange(3) * 2_592_000)),
        status_since=ChainTime(U64(0)),
        status_reason="",
    )
    share = scenario.filled * random_.uniform(0.8, 1.1)
    used = Needs(min(cpu, int(cpu * share)), min(memory, int(memory * share)), int(disk * share * 0.5), 0)
    return NodeFacts(node, f"10.{network >> 8}.{network & 255}.0/24", False, used, 250)


def demands_of(scenario: Scenario, random_: random.Random) -> Iterator[Demand]:
    """Apps with a spec of their own each."""
    while True:
        wish = Wish(
            needs=Needs(
                random_.randrange(100, 2_001), random_.randrange(100, 4_097), random_.randrange(500, 20_001), 0
            ),
            min_tier=random_.choice([1, 1, 1, 1, 2, 3]) if scenario.constrained else 1,
            architectures=frozenset(
                Architecture if scenario.constrained and random_.random() < 0.5 else [Architecture.AMD64]
            ),
            geo=random_.choice(GEO) if scenario.constrained else (),
            static_ip=scenario.constrained and random_.random() < 0.1,
            gpu_model="",
            limit=price_limit(50_000_000) if scenario.constrained and random_.random() < 0.3 else NO_PRICE - 1,
            spread=Spread.OPERATOR,
        )
        yield Demand(wish, Presence(), (None,) * scenario.instances(random_))


def blocks_of(demands: Iterator[Demand]) -> list[list[Demand]]:
    """Blocks of whole apps with about `BLOCK` instances each, `REQUESTS` instances altogether."""
    blocks = []
    for _ in range(REQUESTS // BLOCK):
        block: list[Demand] = []
        left = BLOCK
        while left:
            demand = next(demands)
            block.append(demand._replace(leaving=demand.leaving[:left]))
            left -= len(block[-1].leaving)
        blocks.append(block)
    return blocks


def measure(scenario: Scenario, seed: int) -> tuple[float, int]:
    """Decisions per second over all blocks, and how many requests found a node."""
    random_ = random.Random(seed)
    prices = [UsdPrice(U64(FIVE_CENTS + random_.randrange(-1, 2) * FIVE_CENTS // 50)) for _ in range(REQUESTS // BLOCK)]
    fleet = Fleet.of((node_of(number, scenario, random_) for number in range(1, NODES + 1)), UsdPrice(U64(FIVE_CENTS)))
    blocks = blocks_of(demands_of(scenario, random_))
    place(fleet, keccak256(b"before"), blocks[0][:1])
    placed = 0
    started = time.process_time()
    for number, (block, price) in enumerate(zip(blocks, prices, strict=True)):
        if scenario.moves:
            fleet.reprice(price)
        choices = place(fleet, keccak256(number.to_bytes(4, "big")), block)
        placed += sum(choice is not None for chosen in choices for choice in chosen)
    return REQUESTS / (time.process_time() - started), placed


def run() -> dict[str, dict[str, float]]:
    """Per scenario: median, lowest and highest decisions per second over the rounds, and the share placed."""
    results: dict[str, dict[str, float]] = {}
    for scenario in SCENARIOS:
        rates, placed = zip(*(measure(scenario, seed) for seed in range(ROUNDS)), strict=True)
        results[scenario.name] = {
            "median": statistics.median(rates),
            "lowest": min(rates),
            "highest": max(rates),
            "placed_share": sum(placed) / (REQUESTS * ROUNDS),
        }
    return results


def main() -> None:
    """Print a table."""
    for name, result in run().items():
        print(
            f"{name:55} {result['median']:>9,.0f}/s  ({result['lowest']:,.0f}–{result['highest']:,.0f})"
            f"  placed {result['placed_share']:.0%}"
        )


if __name__ == "__main__":
    main()
