"""The placement rule as one reads it: look at every node, keep the feasible ones, take the smallest key.

Written without NumPy and without the market's own code, so that the engine has something to be equal to.
"""

import math
from collections.abc import Iterable
from fractions import Fraction

from flux.contracts.market.fleet import NodeFacts
from flux.contracts.market.requests import Choice, Demand, Spread, Wish
from flux.contracts.market.types import Rejection
from flux.contracts.nodes.types import Currency, NodeId, NodeStatus
from flux.primitives import geo
from flux.primitives.types import Hash

LIMITS = {"cpu": 2**20, "memory": 2**20, "disk": 2**23, "gpu": 64}
ASK_LIMITS = {"cpu": 2**40, "memory": 2**33, "disk": 2**30, "gpu": 2**42}


class NaiveFleet:
    """Nodes with what is left of them."""

    def __init__(self, facts: Iterable[NodeFacts], seed: Hash, usd: int = 0) -> None:
        self.usd = usd
        self.facts = list(facts)
        self.seed = seed
        self.free = {
            fact.node.id: [
                fact.node.hardware.cpu_milli - fact.used.cpu_milli,
                fact.node.hardware.memory_mib - fact.used.memory_mib,
                fact.node.hardware.disk_mib - fact.used.disk_mib,
                fact.slots_free,
                fact.node.hardware.gpu_count - fact.used.gpu_count,
            ]
            for fact in self.facts
        }

    def place(self, demands: Iterable[Demand]) -> list[tuple[Choice | None, ...]]:
        """One after the other; instances of one app see each other's nodes."""
        return [self.place_app(demand) for demand in demands]

    def place_app(self, demand: Demand) -> tuple[Choice | None, ...]:
        """The instances of one app: first those that go back to their volumes, then the others, to whoever
        holds the images before anybody else."""
        hosts = list(dict.fromkeys(demand.presence.hosts))
        preferred = demand.preferred or (None,) * len(demand.leaving)
        choices: list[Choice | None] = [None] * len(preferred)
        for goes_back in (True, False):
            for index, (leaving, holder) in enumerate(zip(demand.leaving, preferred, strict=True)):
                fact = None
                if choices[index] is None:
                    feasible = self.feasible(demand, hosts)
                    if goes_back:
                        fact = self.find(feasible, holder)
                    else:
                        ready = [found for node in demand.ready if (found := self.find(feasible, node)) is not None]
                        fact = ready[0] if ready else self.choose(demand, feasible, hosts, leaving)
                if fact is not None:
                    hosts.append(fact.node.id)
                    self.take(fact.node.id, demand.wish)
                    choices[index] = Choice(fact.node.id, price(demand.wish, fact, self.usd))
        return tuple(choices)

    def take(self, node: NodeId, wish: Wish) -> None:
        """Take an instance's needs and one slot."""
        left = self.free[node]
        needs = wish.needs
        for index, need in enumerate((needs.cpu_milli, needs.memory_mib, needs.disk_mib, 1, needs.gpu_count)):
            left[index] -= need

    def feasible(self, demand: Demand, hosts: list[NodeId]) -> list[NodeFacts]:
        """Nodes that nothing speaks against."""
        excluded = demand.presence.excluded
        return [fact for fact in self.facts if self.verdict(demand.wish, fact, hosts, excluded) is Rejection.NONE]

    def find(self, feasible: list[NodeFacts], holder: NodeId | None) -> NodeFacts | None:
        """A node that is preferred, if it is feasible."""
        return next((fact for fact in feasible if fact.node.id == holder), None)

    def choose(
        self, demand: Demand, feasible: list[NodeFacts], hosts: list[NodeId], leaving: NodeId | None
    ) -> NodeFacts | None:
        """The smallest key among feasible nodes."""
        return min(feasible, key=lambda fact: self.key(demand.wish, fact, hosts, leaving), default=None)

    def key(self, wish: Wish, fact: NodeFacts, hosts: list[NodeId], leaving: NodeId | None) -> tuple[int, ...]:
        """What the choice minimises."""
        others = [self.facts[host - 1] for host in hosts if host != leaving]
        operator = sum(other.node.operator == fact.node.operator for other in others)
        network = sum(other.network == fact.network for other in others)
        country = sum(other.node.location.country == fact.node.location.country for other in others)
        shared = {
            Spread.OPERATOR: (operator, network, country),
            Spread.PREFIX: (network, country),
            Spread.COUNTRY: (country,),
            Spread.NONE: (),
        }[wish.spread]
        cohort = min(fact.node.registered_at // (30 * 24 * 3600), 2**22 - 1)
        return (*shared, price(wish, fact, self.usd), cohort, tie(self.seed, fact.node.id), fact.node.id)

    def verdict(self, wish: Wish, fact: NodeFacts, hosts: Iterable[NodeId], excluded: Iterable[NodeId]) -> Rejection:
        """The first reason against the node."""
        node, needs = fact.node, wish.needs
        cpu, memory, disk, slots, gpu = self.free[node.id]
        rules = [geo.parse(rule) for rule in wish.geo]
        place = node.location
        wrong_model = wish.gpu_model != "" and node.hardware.gpu_model != wish.gpu_model
        asks = dict(zip(ASK_LIMITS, in_flux(fact, self.usd), strict=True))
        checks = [
            (Rejection.NOT_ACTIVE, node.status is not NodeStatus.ACTIVE or fact.suspect),
            (Rejection.DRAINING, node.drains_until > 0),
            (Rejection.TIER, node.tier < wish.min_tier),
            (Rejection.ARCHITECTURE, node.hardware.architecture not in wish.architectures),
            (Rejection.GEO, not geo.allows(rules, place.continent, place.country, place.region)),
            (Rejection.LOCATION, bool(rules) and not node.located),
            (Rejection.STATIC_IP, wish.static_ip and not node.endpoint.static_ip),
            (Rejection.GPU, needs.gpu_count > 0 and (wrong_model or needs.gpu_count > min(gpu, LIMITS["gpu"]))),
            (Rejection.CPU, needs.cpu_milli > min(cpu, LIMITS["cpu"])),
            (Rejection.MEMORY, needs.memory_mib > min(memory, LIMITS["memory"])),
            (Rejection.DISK, needs.disk_mib > min(disk, LIMITS["disk"])),
            (
                Rejection.PRICE,
                any(asks[name] > most for name, most in ASK_LIMITS.items()) or price(wish, fact, self.usd) > wish.limit,
            ),
            (Rejection.EXCLUDED, node.id in excluded),
            (Rejection.HOSTS_ALREADY, node.id in hosts),
            (Rejection.SLOTS, slots <= 0),
        ]
        return next((reason for reason, holds in checks if holds), Rejection.NONE)


def in_flux(fact: NodeFacts, usd: int) -> tuple[int, int, int, int]:
    """A node's prices in gwei per hour, when a FLUX costs `usd` hundred-millionths of a dollar."""
    ask = fact.node.ask
    prices = (ask.cpu, ask.memory, ask.disk, ask.gpu)
    if ask.currency is Currency.FLUX:
        return prices
    if not usd:
        return (2**62, 2**62, 2**62, 2**62)
    cpu, memory, disk, gpu = (math.ceil(Fraction(price * 10**8, usd)) for price in prices)
    return cpu, memory, disk, gpu


def price(wish: Wish, fact: NodeFacts, usd: int) -> int:
    """Milli-gwei per hour, as the protocol defines it."""
    needs = wish.needs
    cpu, memory, disk, gpu = in_flux(fact, usd)
    return (
        needs.cpu_milli * cpu
        + needs.memory_mib * 1000 * memory // 1024
        + needs.disk_mib * 1000 * disk // 1024
        + needs.gpu_count * 1000 * gpu
    )


def tie(seed: Hash, node: int) -> int:
    """Upper 40 bits of SplitMix64's output at position `node` of the stream that begins at the seed."""
    mask = 2**64 - 1
    z = (int.from_bytes(seed[:8], "big") + node * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return (z ^ (z >> 31)) >> 24
