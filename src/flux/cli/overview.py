"""All of an account's apps at one moment: chain, nodes and escrow put together, for the dashboard and for scripts."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from flux.cli import format as show
from flux.cli import usage
from flux.cli.lookup import find_app, nodes_by_id, protocol_now
from flux.cli.story import Story, Told
from flux.cli.usage import Instance, UsageReader
from flux.cli.words import status_word
from flux.contracts.apps.types import App, AppId
from flux.contracts.escrow.types import EscrowBalance, HostPaid
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.secrets.types import SeedSealed
from flux.sdk import paging
from flux.sdk.agent_api import AgentClient
from flux.sdk.bindings.escrow import Escrow
from flux.sdk.client import FluxClient
from flux.sdk.deployment import Progress, progress
from flux.sdk.errors import Refused
from flux.sdk.history import app_history
from flux.sdk.signer import Signer

HISTORY = 20_000
"""Blocks back to which the first look reads events."""
KEPT_EVENTS = 50
_PARALLEL = 16


@dataclass(frozen=True, slots=True)
class AppOverview:
    """One app."""

    app: App
    state: Progress
    balance: EscrowBalance | None
    """None once the account is closed."""
    instances: tuple[Instance, ...]

    def lasts(self, now: int) -> int | None:
        """Seconds that the balance lasts at this rate; None when nothing accrues."""
        if self.balance is None or not self.balance.depletes_at:
            return None
        return max(0, self.balance.depletes_at - now)


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that is shown."""

    height: int
    now: int
    """Protocol time, Unix seconds."""
    apps: tuple[AppOverview, ...]
    nodes: Mapping[NodeId, Node]
    events: tuple[tuple[str, Told], ...]
    """App's name and what happened, the newest first."""


@dataclass(slots=True)
class Watcher:
    """Looks again and again; remembers what it told and what was used."""

    client: FluxClient
    signer: Signer
    wanted: Sequence[str]
    reader: UsageReader
    _seen_to: int = -1
    _events: list[tuple[str, Told]] = field(default_factory=list)
    _stories: dict[AppId, Story] = field(default_factory=dict)
    _nodes: dict[NodeId, Node] = field(default_factory=dict)

    @staticmethod
    @asynccontextmanager
    async def open(client: FluxClient, signer: Signer, wanted: Sequence[str]) -> AsyncIterator["Watcher"]:
        """`wanted` are names of apps; none means all of the signer's."""
        async with AgentClient() as agents:
            yield Watcher(client, signer, wanted, UsageReader(agents, signer))

    async def look(self) -> Overview:
        """The present."""
        head, now, apps = await asyncio.gather(self.client.head(), protocol_now(self.client), self._apps())
        gate = asyncio.Semaphore(_PARALLEL)

        async def facts(app: App) -> tuple[Progress, EscrowBalance | None]:
            async with gate:
                return await asyncio.gather(progress(self.client, app.id), self._balance(app))

        known = await asyncio.gather(*(facts(app) for app in apps))
        leases = [lease for state, _ in known for lease in sorted(state.open, key=lambda lease: lease.ordinal)]
        await self._learn({lease.node for lease in leases})
        instances = await self.reader.read(leases, self._nodes)
        await self._tell(apps, head.number)
        overviews = tuple(
            AppOverview(app, state, balance, tuple(item for item in instances if item.lease.app == app.id))
            for app, (state, balance) in zip(apps, known, strict=True)
        )
        return Overview(head.number, now, overviews, self._nodes, tuple(self._events))

    async def _apps(self) -> list[App]:
        if self.wanted:
            return list(await asyncio.gather(*(find_app(self.client, name) for name in self.wanted)))
        return await paging.apps_of(self.client, self.signer.address)

    async def _balance(self, app: App) -> EscrowBalance | None:
        try:
            return await Escrow(self.client).balance(app.id)
        except Refused:
            return None

    async def _learn(self, numbers: set[NodeId]) -> None:
        self._nodes |= await nodes_by_id(self.client, numbers - self._nodes.keys())

    async def _tell(self, apps: Sequence[App], head: int) -> None:
        """Add what happened since the last look."""
        if head <= self._seen_to:
            return
        first = max(0, head - HISTORY) if self._seen_to < 0 else self._seen_to + 1
        gate = asyncio.Semaphore(_PARALLEL)

        async def told(app: App) -> list[tuple[str, Told]]:
            async with gate:
                history = await app_history(self.client, app.id, first_block=first, last_block=head)
            story = self._stories.setdefault(app.id, Story(self._nodes))
            return [
                (app.name, item)
                for item in story.tell(history)
                if not isinstance(item.happened.event, HostPaid | SeedSealed)
            ]

        new = [item for part in await asyncio.gather(*(told(app) for app in apps)) for item in part]
        new.sort(key=lambda item: (item[1].happened.block, item[1].happened.index), reverse=True)
        self._events = (new + self._events)[:KEPT_EVENTS]
        self._seen_to = head


def document(overview: Overview) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "block": overview.height,
        "apps": [
            {
                "app": item.app.id,
                "name": item.app.name,
                "status": status_word("app", item.app.status),
                "wanted": item.app.instances,
                "running": len(item.state.running),
                "pending": [pending.ordinal for pending in item.state.pending],
                "price_per_hour": None if item.balance is None else show.exact(item.balance.rate * show.HOUR),
                "balance": None if item.balance is None else show.exact(item.balance.balance),
                "spent": None if item.balance is None else show.exact(item.balance.spent),
                "balance_lasts_seconds": item.lasts(overview.now),
                "instances": [usage.document(instance) for instance in item.instances],
            }
            for item in overview.apps
        ],
        "events": [
            {
                "time": told.happened.timestamp,
                "block": told.happened.block,
                "app": name,
                "instance": told.ordinal,
                "event": type(told.happened.event).__name__,
                "sentence": told.sentence,
            }
            for name, told in overview.events
        ],
    }
