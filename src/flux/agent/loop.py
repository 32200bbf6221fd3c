"""The reconcile loop: look, plan, apply, and look again when anything changed or at the latest after five seconds.

Each instance is worked on by at most one task. When the chain cannot be read the last known wishes hold, and nothing is
removed unless the chain says that its lease is closed: never destroy on a blip.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from flux.agent.actions import Action, PullImage, StopContainer, Telling
from flux.agent.apply import Applier, Outcome
from flux.agent.container_specs import health_command
from flux.agent.container_watch import ContainerWatch
from flux.agent.desired import DesiredInstance, Ending, NodeFacts
from flux.agent.health import HealthChecks, StartupChecks
from flux.agent.lapse import LapseGuard
from flux.agent.observed import ObservedInstance, group
from flux.agent.plan import Memory, Plan, plan_instance, plan_removal
from flux.agent.restarts import Crashes
from flux.contracts.apps.types import AppId, Health
from flux.contracts.market.types import LeaseId, LeaseState, Ordinal
from flux.runtime.errors import RuntimeFailure
from flux.runtime.labels import InstanceKey, container_name, node_labels
from flux.runtime.port import ContainerRuntime
from flux.runtime.types import ContainerHealth, ContainerState, ContainerView, HealthCommand, ImageReference
from flux.sdk.errors import ClientError

log = structlog.get_logger(__name__)
LOOK_INTERVAL = 5.0
"""Seconds between two looks when nothing is heard: as long as an idle chain is without a block."""
RETRY_INTERVAL = 2.0
"""Seconds until the next look when the chain did not answer."""
CHAIN_PATIENCE = 2.0
"""Seconds that a look waits for the chain; then it acts on what was known, and a later one has the answer."""
DRAIN_SECONDS = 3.0
"""How long an instance that was replaced serves on: longer than an ingress that keeps up needs to let go of it."""


class Source(Protocol):
    """The chain as the loop needs it."""

    async def desired(self) -> dict[LeaseId, DesiredInstance]: ...
    async def ending(self, instance: InstanceKey) -> Ending: ...


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """What the loop knows of an instance, for the API."""

    desired: DesiredInstance | None
    observed: ObservedInstance | None
    waiting_for: str


class AgentLoop:
    """Reconciles one node. `wake()` and `wake_for_engine()` may be called from anywhere in the event loop's thread."""

    def __init__(
        self,
        node: NodeFacts,
        source: Source,
        runtime: ContainerRuntime,
        applier: Applier,
        clock: Callable[[], float] = time.monotonic,
        lapse: LapseGuard | None = None,
        pulls: Callable[[], None] = lambda: None,
    ) -> None:
        """`clock` is monotonic: back-offs and deadlines of the loop must not feel a jump of the wall clock.

        `pulls` is told when an image is about to be fetched for an instance.
        """
        self._node = node
        self._source = source
        self._runtime = runtime
        self._applier = applier
        self._clock = clock
        self._lapse = lapse
        self._pulls = pulls
        self._labels = node_labels(node.chain, node.node)
        self._containers = ContainerWatch(runtime, self._labels, clock)
        self._health = HealthChecks(self.wake_for_engine, clock)
        self._startup = StartupChecks(runtime, self.wake_for_engine)
        self._desired: dict[LeaseId, DesiredInstance] | None = None
        self._observed: dict[LeaseId, ObservedInstance] = {}
        self._memories: dict[LeaseId, Memory] = {}
        self._waiting: dict[LeaseId, str] = {}
        self._busy: dict[LeaseId, asyncio.Task[None]] = {}
        self._images: set[ImageReference] = set()
        self._exits: dict[str, float] = {}
        self._ended: Counter[tuple[LeaseId, str]] = Counter()
        """Ends of containers by lease and component."""
        self.chain_read_at: float | None = None
        """When the chain was last read, by the agent's monotonic clock."""
        self.engine_read_at: float | None = None
        self._unhealthy: set[str] = set()
        """Containers that were stopped for their health, until their end was counted."""
        self._not_before: dict[LeaseId, float] = {}
        self._drains: dict[LeaseId, float] = {}
        """When instances whose lease is closed may be stopped."""
        self._held: set[LeaseId] = set()
        self._awake = asyncio.Event()
        self._chain_changed = True
        self._reading: asyncio.Task[dict[LeaseId, DesiredInstance]] | None = None
        """A question to the chain that is not answered yet."""
        self._engine_changed = True
        self._observing = asyncio.Lock()
        self._acted: set[LeaseId] = set()
        """Leases whose plans ended since the last look at the engine began: what is known of them is older."""

    def wake(self) -> None:
        """Something may have changed: look soon."""
        self._chain_changed = True
        self._awake.set()

    def wake_for_engine(self) -> None:
        """Something may have changed on this machine: look soon, by what the chain said last."""
        self._engine_changed = True
        self._awake.set()

    async def follow_engine(self) -> None:
        """Look whenever something happens to a container, until cancelled."""
        await self._containers.follow(self.wake_for_engine)

    def desired(self) -> dict[LeaseId, DesiredInstance]:
        """The wishes last read."""
        return dict(self._desired or {})

    def status(self, lease: LeaseId) -> InstanceStatus:
        """What is known of one lease."""
        wanted = (self._desired or {}).get(lease)
        return InstanceStatus(wanted, self._observed.get(lease), self._waiting.get(lease, ""))

    def images(self) -> set[ImageReference]:
        """What the instances of this node's leases are made of."""
        wanted = (self._desired or {}).values()
        return {ImageReference(component.image) for item in wanted for component in item.spec.components}

    def is_busy(self) -> bool:
        """Whether the containers of some instance are being changed."""
        return bool(self._busy)

    def forget_image(self, image: ImageReference) -> None:
        """The engine may hold an image no longer: ask it again before the next use."""
        self._images.discard(image)

    def ended(self, lease: LeaseId, component: str) -> int:
        """How often a component's container ended since the agent saw it first."""
        return self._ended[lease, component]

    @asynccontextmanager
    async def hold(self, lease: LeaseId) -> AsyncIterator[None]:
        """Leave an instance's containers to the caller: they are not started, and ends that it causes are no crashes.

        A lease that closes meanwhile is ended all the same. Not for two callers at once.
        """
        self._held.add(lease)
        try:
            if (task := self._busy.get(lease)) is not None:
                await asyncio.wait([task])
            yield
        finally:
            self._forget_containers(lease)
            try:
                await self._observe()
            except RuntimeFailure as error:
                log.warning("engine not read", reason=str(error), hint=error.hint)
            finally:
                self._held.discard(lease)
                self.wake()

    async def run(self) -> None:
        """Go round until cancelled."""
        try:
            while True:
                self._awake.clear()
                wake_at = await self._look()
                wait = LOOK_INTERVAL if wake_at is None else max(0.05, min(LOOK_INTERVAL, wake_at - self._clock()))
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._awake.wait()
        finally:
            tasks = [*self._busy.values(), *([self._reading] if self._reading is not None else [])]
            self._reading = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._startup.close()
            await self._health.close()

    async def _look(self) -> float | None:
        is_read = await self._read_chain()
        if self._desired is None:
            return self._clock() + RETRY_INTERVAL
        try:
            await self._read_engine()
            await self._refresh_images()
        except RuntimeFailure as error:
            log.warning("engine not read", reason=str(error), hint=error.hint)
            return self._clock() + max(error.delay, 1.0)
        if self._reading is not None and self._reading.done():
            # A late answer renewed what may run once, and may say that its lease is over: first it is taken.
            return self._clock()
        ending = self._ending()
        wakes = [self._work_on(lease, desired, ending) for lease, desired in self._desired.items()]
        wakes.append((self.engine_read_at or 0.0) + LOOK_INTERVAL)
        for lease, observed in self._observed.items():
            if lease not in self._desired:
                wakes.append(await self._end(lease, observed, is_read=is_read))
        for lease in [lease for lease in self._drains if lease not in self._observed]:
            del self._drains[lease]
        for lease in [lease for lease in self._memories if lease not in self._desired]:
            del self._memories[lease]
            self._waiting.pop(lease, None)
            for key in [key for key in self._ended if key[0] == lease]:
                del self._ended[key]
        if not is_read:
            wakes.append(self._clock() + RETRY_INTERVAL)
        known = self._desired.keys() | self._observed.keys()
        self._not_before = {lease: at for lease, at in self._not_before.items() if lease in known}
        return min((wake for wake in wakes if wake is not None), default=None)

    async def _read_chain(self) -> bool:
        """Ask for the wishes unless the last answer still counts; whether they are known as of now."""
        if self._reading is None:
            if not self._chain_changed and self._clock() < (self.chain_read_at or 0.0) + LOOK_INTERVAL:
                return True
            self._chain_changed = False
            self._reading = asyncio.create_task(self._source.desired())
            # An endpoint that takes requests and says nothing must not keep crashed containers down.
            await asyncio.wait([self._reading], timeout=CHAIN_PATIENCE)
            if not self._reading.done():
                self._reading.add_done_callback(lambda _: self._awake.set())
        if not self._reading.done():
            return False
        reading, self._reading = self._reading, None
        if self._chain_changed:
            self._awake.set()  # something changed while it was asked
        try:
            self._desired = reading.result()
        except ClientError as error:
            log.warning("chain not read, keeping what runs", reason=str(error))
            self._chain_changed = True
            return False
        self.chain_read_at = self._clock()
        return True

    async def _read_engine(self) -> None:
        """Look at what runs unless nothing is known to have changed since the last look."""
        due_at = (self.engine_read_at or 0.0) + LOOK_INTERVAL
        if self.engine_read_at is not None and not self._engine_changed and self._clock() < due_at:
            return
        self._engine_changed = False
        try:
            await self._observe()
        except RuntimeFailure:
            self._engine_changed = True
            raise
        self.engine_read_at = self._clock()

    async def _observe(self) -> None:
        async with self._observing:
            acted = set(self._acted)
            await self._observe_all()
            self._acted -= acted

    async def _observe_all(self) -> None:
        containers = await self._containers.look()
        networks = await self._runtime.list_networks(self._labels)
        self._health.watch(self._checked(containers))
        starting = self._starting(containers)
        self._startup.watch(starting)
        passed = {
            name: ContainerHealth.HEALTHY for name, (view, _) in starting.items() if self._startup.has_passed(view)
        }
        self._observed = group(containers, networks, {**self._health.verdicts(), **passed})
        for lease, observed in self._observed.items():
            self._count_crashes(lease, observed)
        seen = {view.id for view in containers}
        self._exits = {container: ended for container, ended in self._exits.items() if container in seen}
        self._unhealthy &= seen

    def _checked(self, containers: list[ContainerView]) -> dict[str, tuple[Health, ContainerView]]:
        views = {view.name: view for view in containers if view.state is ContainerState.RUNNING}
        checked: dict[str, tuple[Health, ContainerView]] = {}
        for lease, desired in (self._desired or {}).items():
            for component in desired.spec.components:
                name = container_name(self._node.chain, self._node.node, lease, component.name)
                if component.health is not None and component.health.kind != "command" and name in views:
                    checked[name] = (component.health, views[name])
        return checked

    def _starting(self, containers: list[ContainerView]) -> dict[str, tuple[ContainerView, HealthCommand]]:
        """Containers whose command check has no verdict yet, with the check."""
        views = {view.name: view for view in containers if view.health is ContainerHealth.STARTING}
        starting: dict[str, tuple[ContainerView, HealthCommand]] = {}
        for lease, desired in (self._desired or {}).items():
            for component in desired.spec.components:
                name = container_name(self._node.chain, self._node.node, lease, component.name)
                check = health_command(component, desired.private_component(component.name))
                if check is not None and name in views and views[name].state is ContainerState.RUNNING:
                    starting[name] = (views[name], check)
        return starting

    def _count_crashes(self, lease: LeaseId, observed: ObservedInstance) -> None:
        memory = self._memories.get(lease)
        if memory is None or lease in self._busy:
            return
        for name, container in observed.containers.items():
            view = container.view
            ended = view.finished_at
            if view.state is not ContainerState.EXITED or ended is None or self._exits.get(view.id) == ended:
                continue
            self._exits[view.id] = ended
            if lease in self._held:
                continue
            if self._lapse is not None and self._lapse.take_stopped(view.id):
                continue
            self._ended[lease, name] += 1
            unhealthy = view.id in self._unhealthy
            self._unhealthy.discard(view.id)
            crashes = memory.crashes.get(name, Crashes()).record(
                self._clock(), ended - (view.started_at or ended), unhealthy=unhealthy
            )
            memory = replace(memory, crashes={**memory.crashes, name: crashes})
            log.info(
                "container ended",
                lease=lease,
                component=name,
                container=view.id[:12],
                exit_code=view.exit_code,
                oom=view.oom_killed,
                unhealthy=unhealthy,
            )
        self._memories[lease] = memory

    async def _refresh_images(self) -> None:
        wanted = self.images()
        self._images &= wanted
        for image in sorted(wanted - self._images):
            if await self._runtime.has_image(image):
                self._images.add(image)

    def _work_on(self, lease: LeaseId, desired: DesiredInstance, ending: set[tuple[AppId, Ordinal]]) -> float | None:
        now = self._clock()
        memory = self._memories.setdefault(lease, Memory(first_seen=now))
        if desired.lease.state is LeaseState.RUNNING and memory.confirmed:
            memory = self._memories[lease] = replace(memory, confirmed=False)
        if lease in self._busy or lease in self._held or lease in self._acted:
            return None
        if (desired.lease.app, desired.lease.ordinal) in ending and (desired.spec.volumes or desired.spec.at_most_one):
            self._waiting[lease] = "the instance that ran here before stops first"
            return None
        if desired.spec.at_most_one and self._lapse is not None and self._lapse.has_lapsed():
            self._waiting[lease] = "its lease could not be renewed, and at most one may run"
            return None
        if (not_before := self._not_before.get(lease, 0.0)) > now:
            return not_before
        plan = plan_instance(self._node, desired, self._observed.get(lease), frozenset(self._images), memory, now)
        self._waiting[lease] = plan.waiting_for
        self._memories[lease] = memory.after(plan.actions, now)
        self._begin(lease, plan)
        return plan.wake_at

    def _ending(self) -> set[tuple[AppId, Ordinal]]:
        """Instances of which something of a lease that is not open any more is still here, with their volumes."""
        desired = self._desired or {}
        return {
            (observed.key.app, observed.key.ordinal)
            for lease, observed in self._observed.items()
            if lease not in desired and observed.containers
        }

    async def _end(self, lease: LeaseId, observed: ObservedInstance, *, is_read: bool) -> float | None:
        """Remove an instance whose lease is over; when to look again. Asks no chain that did not answer just now."""
        if lease in self._busy:
            return None
        now = self._clock()
        if lease not in self._drains:
            if not is_read:
                return None
            try:
                async with asyncio.timeout(CHAIN_PATIENCE):
                    ending = await self._source.ending(observed.key)
            except (ClientError, TimeoutError) as error:
                log.warning("lease not read, keeping what runs", lease=lease, reason=str(error) or "no answer")
                return None
            if ending is Ending.OPEN:
                return None
            self._drains[lease] = now + DRAIN_SECONDS if ending is Ending.DRAINS else now
        if now < self._drains[lease]:
            return self._drains[lease]
        self._begin(lease, plan_removal(observed))
        return None

    def _begin(self, lease: LeaseId, plan: Plan) -> None:
        if plan.actions:
            if any(isinstance(action, PullImage) for action in plan.actions):
                self._pulls()
            self._busy[lease] = asyncio.create_task(self._apply(lease, plan.actions))

    async def _apply(self, lease: LeaseId, actions: tuple[Action, ...]) -> None:
        self._unhealthy |= {item.container for item in actions if isinstance(item, StopContainer) and item.unhealthy}
        try:
            self._remember(lease, await self._applier.apply(lease, actions))
        except RuntimeFailure as error:
            log.warning("engine failed", lease=lease, reason=str(error))
            self._not_before[lease] = self._clock() + max(error.delay, 1.0)
        finally:
            del self._busy[lease]
            self._acted.add(lease)
            self._forget_containers(lease)
            self._chain_changed |= any(isinstance(action, Telling) for action in actions)
            self.wake_for_engine()

    def _forget_containers(self, lease: LeaseId) -> None:
        if (observed := self._observed.get(lease)) is not None:
            for container in observed.containers.values():
                self._containers.forget(container.view.id)

    def _remember(self, lease: LeaseId, outcome: Outcome) -> None:
        memory = self._memories.get(lease)
        if memory is not None:
            confirmed = memory.confirmed or outcome.confirmed
            self._memories[lease] = replace(memory, failure=outcome.failure, confirmed=confirmed)
        if outcome.missing is not None:
            self.forget_image(outcome.missing)
        if outcome.retry_after:
            self._not_before[lease] = self._clock() + outcome.retry_after
