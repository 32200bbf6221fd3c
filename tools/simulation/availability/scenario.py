"""What happens to the cloud: apps arrive, nodes flap, a country goes and returns, updates are bad or lied about."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from flux.contracts.apps.types import AppId
from flux.contracts.market.rollout_types import Rollout
from tools.simulation.availability.cloud import LARGEST, Cloud, Second
from tools.simulation.availability.hosts import BROKEN, GONE, NEWER
from tools.simulation.population import Machine

_BATCH = 500
"""Apps that arrive in a second."""
_BOUND = 3_600
"""Seconds after which a phase has failed."""
_CALM = 30
"""Seconds without a change after which a phase is over."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is played."""

    nodes: int
    apps: int
    flapping: float = 0.05
    """Part of the nodes that come and go; those that run something."""
    flapping_seconds: int = 900
    country: str = "US"
    """A country like others."""
    largest: str = LARGEST
    """The one with more than a third of the nodes."""
    bad_updates: int = 1_000
    seed: int = 1
    check_every: int = 10**9


@dataclass(frozen=True, slots=True)
class Phase:
    """What one of them showed."""

    name: str
    seconds: tuple[Second, ...]
    to_full: int | None
    """Seconds until every wanted instance was served again; None when that never was."""
    moved: int
    """Instances that began to run on another node, or anew."""
    most_moves: int
    """Of one instance."""
    braked: bool = False

    @property
    def most_missing(self) -> int:
        """Instances that nobody served at the worst moment."""
        return max((item.missing for item in self.seconds), default=0)


class Scenario:
    """One run."""

    def __init__(self, setting: Setting, progress: Callable[[str], None]) -> None:
        self.setting = setting
        self._progress = progress
        self.cloud = Cloud(setting.nodes, setting.seed, setting.check_every)
        self.phases: list[Phase] = []
        self._braked = False
        self.doubted_updates: dict[AppId, Rollout] = {}
        """The update of apps that ran on nodes which lie about it."""

    async def run(self) -> None:
        """Play all of it. Raises Violated."""
        try:
            await self._phase("apps arrive", self._arrive)
            await self._phase("nodes flap", self._flap)
            for name, country in (("a country", self.setting.country), ("a third of the fleet", self.setting.largest)):
                machines = self.cloud.machines_in(country)
                await self._phase(f"{name} is lost", partial(self._lose, machines))
                await self._phase(f"{name} returns", partial(self._return, machines))
            await self._phase("a bad image is rolled out", self._update)
            await self._phase("liars refuse a good image", self._update_past_liars)
            self.cloud.economy.check()
        finally:
            await self.cloud.hosts.close()

    def stray_containers(self) -> int:
        """Containers that run without a lease that does, on machines that are up."""
        cloud = self.cloud
        return sum(
            max(0, cloud.hosts.running(node) - cloud.serving.leases_on(node))
            for node, machine in cloud.population.machines.items()
            if machine.is_up
        )

    async def _phase(self, name: str, play: Callable[[], Awaitable[int | None]]) -> None:
        cloud = self.cloud
        first, moves, self._braked = len(cloud.seconds), dict(cloud.serving.moves), False
        to_full = await play()
        moved = [count - moves.get(instance, 0) for instance, count in cloud.serving.moves.items()]
        seconds = tuple(cloud.seconds[first:])
        phase = Phase(name, seconds, to_full, sum(moved), max(moved, default=0), self._braked)
        self.phases.append(phase)
        self._progress(
            f"{name}: full after {phase.to_full} s, {phase.most_missing:,} missing at the worst, {phase.moved:,} moved"
        )

    async def _arrive(self) -> int | None:
        began, left = self.cloud.now, self.setting.apps
        while left:
            self.cloud.deploy(min(_BATCH, left))
            left -= min(_BATCH, left)
            await self._second()
        return await self._until_full(began)

    async def _flap(self) -> int | None:
        """Some nodes are off for five seconds to three minutes, again and again."""
        cloud, draw = self.cloud, self.cloud.draw
        hosting = cloud.hosting()
        flapping = draw.sample(hosting, min(len(hosting), int(self.setting.flapping * self.setting.nodes)))
        turns: dict[int, int] = {machine.id: cloud.now + draw.randint(1, 120) for machine in flapping}
        for _ in range(self.setting.flapping_seconds):
            for machine in flapping:
                if turns[machine.id] <= cloud.now:
                    cloud.set_up(machine, up=not machine.is_up)
                    turns[machine.id] = cloud.now + (draw.randint(60, 300) if machine.is_up else draw.randint(5, 180))
            await self._second()
        began = cloud.now
        self._set_up(flapping, up=True)
        return await self._until_full(began)

    async def _lose(self, machines: Sequence[Machine]) -> int | None:
        began = self.cloud.now
        self._set_up(machines, up=False)
        return await self._until_full(began)

    async def _return(self, machines: Sequence[Machine]) -> int | None:
        began = self.cloud.now
        self._set_up(machines, up=True)
        full = await self._until_full(began)
        for _ in range(_CALM):
            await self._second()
        return full

    async def _update(self) -> int | None:
        """Half of the images cannot be pulled, half end as soon as they start."""
        cloud = self.cloud
        apps = list(cloud.owners)[: self.setting.bad_updates]
        began = cloud.now
        for number, app in enumerate(apps):
            bad = cloud.spec(GONE) if number % 2 else cloud.spec(BROKEN, restart="no")
            cloud.update(app, bad)
        full = await self._until_full(began)
        await self._until_calm()
        return full if self.all_serve(apps) else None

    async def _update_past_liars(self) -> int | None:
        """All nodes of the operator that hosts most say of a good image that it cannot be pulled."""
        cloud, began = self.cloud, self.cloud.now
        leases = Counter[int]()
        for machine in cloud.hosting():
            leases[machine.operator.number] += cloud.serving.leases_on(machine.id)
        liar = max(leases, key=lambda number: (leases[number], number))
        lying = [machine.id for machine in cloud.hosting() if machine.operator.number == liar]
        for node in lying:
            cloud.hosts.refuse_newer(node)
        apps = dict.fromkeys(lease.app for node in lying for lease in cloud.open_leases(node))
        for app in apps:
            cloud.update(app, cloud.spec(NEWER))
        full = await self._until_full(began)
        await self._until_calm()
        self.doubted_updates = {app: cloud.rollout(app) for app in apps}
        return full

    def all_serve(self, apps: Sequence[AppId]) -> bool:
        """Whether every instance of these apps is served."""
        serving, chosen = self.cloud.serving, set(apps)
        return all(serving.serves(instance) for instance in serving.wanted if instance[0] in chosen)

    def _set_up(self, machines: Sequence[Machine], *, up: bool) -> None:
        for machine in machines:
            self.cloud.set_up(machine, up=up)

    async def _until_full(self, began: int) -> int | None:
        """Seconds since `began` until nothing was missing; at least as long as it takes to notice a loss."""
        for _ in range(_BOUND):
            if not (await self._second()).missing:
                return self.cloud.now - began
        return None

    async def _until_calm(self) -> None:
        """Until nothing was sent to the chain for a while."""
        calm = 0
        for _ in range(_BOUND):
            calm = 0 if (await self._second()).transactions else calm + 1
            if calm == _CALM:
                return

    async def _second(self) -> Second:
        found = await self.cloud.second()
        self._braked = self._braked or self.cloud.probes.state.brake.get().since > 0
        return found
