"""Tenants: what they deploy, how long they stay, and some who let their account run dry."""

import random
from dataclasses import dataclass

from flux.contracts.apps.contract import Apps
from flux.contracts.apps.types import AppId, AppSpec, Component, Constraints, Http, Port, encode_spec
from flux.contracts.escrow.contract import Escrow
from flux.contracts.escrow.types import Depleted
from flux.primitives.types import U16
from tools.simulation.economy import Economy, person

_GEO = ((), (), (), (), ("acEU",), ("acNA",), ("acAS",), ("acEU", "a!cEU_DE"))
_ELASTICITY = 0.3
"""Fewer want apps while FLUX is dear: their number goes with this power of its price."""
_CARELESS_PART = 12
"""Careless tenants pay this many times less ahead, once."""
_IMAGE = "registry.example/web@sha256:" + "ab" * 32


@dataclass(frozen=True, slots=True)
class Habits:
    """How tenants behave, per epoch."""

    leaving: float = 0.05
    """Part of the apps that their owners remove."""
    scaling: float = 0.05
    """Part of the apps that grow or shrink."""
    careless: float = 0.1
    """Part of the tenants who never top up."""
    epochs_paid: int = 4
    """How many epochs ahead a tenant pays."""


@dataclass(slots=True)
class Tenancy:
    """One app of a tenant."""

    app: AppId
    owner: int
    is_careless: bool
    budget: float
    """The most that it pays, in dollars, as a multiple of what its app cost on its first day."""
    began_at: float
    """What FLUX cost then, beside the first day of all."""


class Tenants:
    """A crowd that keeps a number of apps running."""

    def __init__(self, economy: Economy, wanted: int, draw: random.Random, habits: Habits | None = None) -> None:
        self._economy = economy
        self._apps = economy.contract(Apps)
        self._escrow = economy.contract(Escrow)
        self._wanted = wanted
        self._draw = draw
        self._habits = habits or Habits()
        self._next = 0
        self._dearness = 1.0
        self.priced_out = 0
        """Tenants that left because the dollar price of what they had passed their budget."""
        self.ran_dry = 0
        """Times that an account was empty and its app stopped."""
        economy.watch(Depleted, self._depleted)
        self.tenancies: dict[AppId, Tenancy] = {}

    def act(self, epoch_seconds: int, most: int, dearness: float) -> None:
        """One epoch of departures, growth and payments; and of the first `most` arrivals.

        `dearness`: what FLUX costs in dollars, beside the first day.
        """
        self._dearness = dearness
        for tenancy in list(self.tenancies.values()):
            fate = self._draw.random()
            if tenancy.budget * tenancy.began_at < dearness:
                self.priced_out += 1
                self._remove(tenancy)
            elif fate < self._habits.leaving:
                self._remove(tenancy)
            elif fate < self._habits.leaving + self._habits.scaling:
                size = U16(self._draw.choice((1, 1, 2, 3, 5)))
                self._economy.attempt(person("tenant", tenancy.owner), self._apps.scale, tenancy.app, size)
        self._pay(epoch_seconds)
        self.arrive(epoch_seconds, most)

    def arrive(self, epoch_seconds: int, most: int) -> int:
        """New tenants until there are as many apps as wanted, at most so many at once; how many came."""
        wanted = int(self._wanted * min(1.0, self._dearness**-_ELASTICITY))
        number = max(0, min(wanted - len(self.tenancies), most))
        for _ in range(number):
            self._deploy(epoch_seconds)
        return number

    def _deploy(self, epoch_seconds: int) -> None:
        owner, self._next = self._next, self._next + 1
        spec, instances = self._spec(), U16(self._draw.choice((1, 1, 1, 2, 3)))
        data = encode_spec(spec)
        is_careless = self._draw.random() < self._habits.careless
        ahead = self._rate(spec, instances) * epoch_seconds * self._habits.epochs_paid
        least = self._economy.view(self._escrow.quote, data, instances)
        deposit = max(ahead // _CARELESS_PART if is_careless else ahead, 2 * least)
        address = person("tenant", owner)
        self._economy.fund(address, 20 * deposit // 10**18 + 1)
        app = self._economy.send(address, self._apps.deploy, f"app-{owner}", instances, data, b"", value=deposit)
        self.tenancies[app] = Tenancy(app, owner, is_careless, self._draw.uniform(1.5, 6), self._dearness)

    def _pay(self, epoch_seconds: int) -> None:
        """Careful tenants keep an epoch and a half ahead; those of the others whose time is over are forgotten."""
        for tenancy in list(self.tenancies.values()):
            balance = self._economy.view(self._escrow.balance, tenancy.app)
            needed = balance.rate * epoch_seconds * 3 // 2
            if balance.balance >= needed or (tenancy.is_careless and balance.balance > 0):
                continue
            if tenancy.is_careless:
                self._remove(tenancy)
                continue
            amount = balance.rate * epoch_seconds * self._habits.epochs_paid
            owner = person("tenant", tenancy.owner)
            if amount > self._economy.world.balance(owner) or self._economy.attempt(
                owner, self._escrow.top_up, tenancy.app, value=amount
            ):
                self._remove(tenancy)

    def _depleted(self, event: Depleted) -> None:
        self.ran_dry += 1

    def _remove(self, tenancy: Tenancy) -> None:
        self._economy.attempt(person("tenant", tenancy.owner), self._apps.remove, tenancy.app)
        del self.tenancies[tenancy.app]

    def _rate(self, spec: AppSpec, instances: int) -> int:
        quote: int = self._economy.view(self._escrow.quote, encode_spec(spec), U16(instances))
        return quote // int(self._economy.params.escrow.min_runtime)

    def _spec(self) -> AppSpec:
        draw = self._draw
        component = Component(
            name="web",
            image=_IMAGE,
            cpu_milli=draw.choice((100, 200, 250, 500, 1_000)),
            memory_mib=draw.choice((128, 256, 512, 1_024)),
            disk_mib=draw.choice((1_000, 2_000, 5_000, 10_000)),
            ports=(Port(80),),
        )
        return AppSpec((component,), http=Http("web", 80), constraints=Constraints(geo=draw.choice(_GEO)))
