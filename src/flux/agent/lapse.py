"""At most one: instances of apps that ask for it stop when their leases could not be renewed in time.

A lease counts as renewed when it was read open in a newer head. A node that cannot do that for `AT_MOST_ONE_LAPSE`
seconds may have lost it without knowing, so it stops the instance, and starts it again when it reads the lease open.
The chain places another one only when that time and the stop are over (contracts/market/rules.fence_of).
"""

import asyncio
from collections.abc import Mapping

import structlog

from flux.agent.head_clock import HeadClock
from flux.contracts.market.types import AT_MOST_ONE_LAPSE
from flux.runtime.errors import RuntimeFailure
from flux.runtime.labels import AT_MOST_ONE
from flux.runtime.port import ContainerRuntime
from flux.runtime.types import ContainerId, ContainerState, ContainerView

log = structlog.get_logger(__name__)
LOOK_INTERVAL = 0.5
"""Seconds between two looks at the clock; part of the chain's margin."""


class LapseGuard:
    """Stops what may run once only while nobody knows whether it still may."""

    def __init__(self, runtime: ContainerRuntime, labels: Mapping[str, str], heads: HeadClock) -> None:
        """`labels` select the containers of this node."""
        self._runtime = runtime
        self._labels = {**labels, AT_MOST_ONE: "1"}
        self._heads = heads
        self._stopped: set[ContainerId] = set()

    def has_lapsed(self) -> bool:
        """Whether leases count as lost."""
        return self._heads.age() >= AT_MOST_ONE_LAPSE

    def take_stopped(self, container: ContainerId) -> bool:
        """Whether a container's end was this guard's doing, and so no crash; told once for each end."""
        if container not in self._stopped:
            return False
        self._stopped.discard(container)
        return True

    async def run(self) -> None:
        """Watch until cancelled; independent of the reconcile loop, which may hang in a request."""
        while True:
            try:
                await self.check()
            except RuntimeFailure as error:
                log.warning("containers of lapsed leases not seen", reason=str(error), hint=error.hint)
            await asyncio.sleep(LOOK_INTERVAL)

    async def check(self) -> None:
        """Stop what runs on lapsed leases."""
        if not self.has_lapsed():
            return
        views = await self._runtime.list_containers(self._labels)
        self._stopped &= {view.id for view in views}
        running = [view for view in views if view.state is ContainerState.RUNNING]
        await asyncio.gather(*(self._stop(view) for view in running))

    async def _stop(self, view: ContainerView) -> None:
        log.warning("lease not renewed, at most one may run: stopping", container=view.name, seconds=self._heads.age())
        self._stopped.add(view.id)
        try:
            await self._runtime.stop(view.id)
        except RuntimeFailure as error:
            log.warning("container of a lapsed lease not stopped", container=view.name, reason=str(error))
