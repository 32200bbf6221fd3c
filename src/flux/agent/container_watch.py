"""What the engine runs for this node, asked for at little cost: what nothing is heard of is not looked into again.

Of a container the engine's list tells whether its state changed; that it ended and began anew in between it does not
tell. The engine's events do, and whoever acted on it says `forget`. Once a minute everything is looked into, whatever
was heard.
"""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from flux.runtime.errors import RuntimeFailure
from flux.runtime.port import ContainerRuntime
from flux.runtime.types import ContainerId, ContainerView

log = structlog.get_logger(__name__)
RETRY = 1.0
"""Seconds between two tries to hear the engine."""
WHOLE_LOOK_INTERVAL = 60.0
"""Seconds between two looks into every container."""


class ContainerWatch:
    """The containers with some labels."""

    def __init__(self, runtime: ContainerRuntime, labels: Mapping[str, str], clock: Callable[[], float]) -> None:
        """`clock` is monotonic."""
        self._runtime = runtime
        self._labels = labels
        self._clock = clock
        self._known: dict[ContainerId, ContainerView] = {}
        self._forgotten: set[ContainerId] = set()
        """Also while a list is on its way: what it says of them may be older."""
        self._whole_at = 0.0
        self._distrusts = True

    def forget(self, container: ContainerId) -> None:
        """Something happened to it: look into it again."""
        self._forgotten.add(container)

    async def follow(self, changed: Callable[[], None]) -> None:
        """Hear the engine's events until cancelled; `changed` is called when there may be something to see."""
        while True:
            try:
                async with self._runtime.events(self._labels) as events:
                    self._distrusts = True  # of what happened before nothing was heard
                    changed()
                    async for event in events:
                        self.forget(event.container)
                        changed()
            except RuntimeFailure as error:
                log.warning("engine not heard", reason=str(error), hint=error.hint)
                await asyncio.sleep(RETRY)

    async def look(self) -> list[ContainerView]:
        """All of them, by name. May raise runtime.errors.RuntimeFailure."""
        now = self._clock()
        forgotten, self._forgotten = self._forgotten, set()
        if self._distrusts or now >= self._whole_at + WHOLE_LOOK_INTERVAL:
            self._known, self._whole_at, self._distrusts = {}, now, False
        for container in forgotten:
            self._known.pop(container, None)
        try:
            views = await self._runtime.list_containers(self._labels, self._known)
        except RuntimeFailure:
            self._distrusts = True
            raise
        self._known = {view.id: view for view in views}
        return views
