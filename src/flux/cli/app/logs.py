"""`flux app logs`."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.cli.lookup import find_app
from flux.cli.options import AppArgument
from flux.contracts.apps.types import App
from flux.contracts.market.types import Lease, LeaseId, LeaseState
from flux.contracts.nodes.types import Node
from flux.sdk.agent_api import AgentClient, AgentRefused
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.client import FluxClient
from flux.sdk.deployment import follow as follow_app
from flux.sdk.deployment import progress
from flux.sdk.errors import ClientError, Unreachable
from flux.sdk.signer import Signer


async def run(
    context: CommandContext,
    name: AppArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
    tail: Annotated[int, typer.Option("--tail", min=0, help="Last lines of each container.")] = 100,
    instance: Annotated[int | None, typer.Option("--instance", "-i", min=0, help="Only this instance.")] = None,
    component: Annotated[str, typer.Option("--component", "-c", help="Only this component.")] = "",
) -> None:
    """Print what an app's containers write, straight from the nodes that run them. Only the owner may read it."""
    wish = Wish(follow, tail, instance, component)
    async with context.client() as client, AgentClient() as agents:
        app = await find_app(client, name)
        reader = LogReader(context, client, agents, await context.signer(client), app, wish)
        if follow:
            await reader.follow()
        else:
            await reader.read_once()


@dataclass(frozen=True, slots=True)
class Wish:
    """Which lines."""

    follow: bool
    tail: int
    instance: int | None
    component: str

    def takes(self, lease: Lease) -> bool:
        return lease.state is not LeaseState.CLOSED and self.instance in (None, lease.ordinal)


@dataclass(slots=True)
class LogReader:
    """Reads from all instances at once; in follow mode also from those that come later."""

    context: CommandContext
    client: FluxClient
    agents: AgentClient
    signer: Signer
    app: App
    wish: Wish
    _streams: dict[LeaseId, asyncio.Task[None]] = field(default_factory=dict)

    async def read_once(self) -> None:
        """The last lines of every instance, in order of time."""
        leases = [lease for lease in (await progress(self.client, self.app.id)).leases if self.wish.takes(lease)]
        if not leases:
            raise CliError(f"{self.app.name} has no running instance", f"see `flux app show {self.app.name}`")
        found = await asyncio.gather(*(self._collect(lease) for lease in leases), return_exceptions=True)
        lines = [line for part in found if not isinstance(part, BaseException) for line in part]
        errors = [part for part in found if isinstance(part, BaseException)]
        for lease, line in sorted(lines, key=lambda item: item[1]["time_ns"]):
            self._print(lease, line)
        for error in errors:
            if len(errors) == len(found) or not isinstance(error, ClientError):
                raise error
            self.context.output.note(f"(missing: {error})")

    async def follow(self) -> None:
        """Until interrupted. An instance that moves is read at its new node."""
        async with asyncio.TaskGroup() as group, aclosing(follow_app(self.client, self.app.id)) as states:
            async for state in states:
                self._begin(group, [lease for lease in state.leases if self.wish.takes(lease)])

    def _begin(self, group: asyncio.TaskGroup, leases: Sequence[Lease]) -> None:
        for lease in leases:
            running = self._streams.get(lease.id)
            if lease.state is LeaseState.RUNNING and (running is None or running.done()):
                tail = self.wish.tail if running is None else 0
                self._streams[lease.id] = group.create_task(self._stream(lease, tail))

    async def _stream(self, lease: Lease, tail: int) -> None:
        """Lines of one lease until its stream ends; a node that goes away ends it too."""
        node = await self._node(lease)
        try:
            lines = self.agents.logs(node, self.signer, lease.id, follow=True, tail=tail, component=self.wish.component)
            async for line in lines:
                self._print(lease, line)
        except Unreachable as error:
            self.context.output.note(f"(node {node.id} was lost: {error.reason})")
        except AgentRefused as refused:
            if refused.status in (403, 429):
                raise

    async def _collect(self, lease: Lease) -> list[tuple[Lease, dict[str, Any]]]:
        node = await self._node(lease)
        lines = self.agents.logs(
            node, self.signer, lease.id, follow=False, tail=self.wish.tail, component=self.wish.component
        )
        return [(lease, line) async for line in lines]

    async def _node(self, lease: Lease) -> Node:
        return await Nodes(self.client).node(lease.node)

    def _print(self, lease: Lease, line: dict[str, Any]) -> None:
        text = line["text"].replace("\n", "�")
        prefix = f"{self.app.name}.{lease.ordinal}/{line['component']}"
        seconds = int(line["time_ns"]) // 10**9
        moment = time.strftime("%H:%M:%S", time.localtime(seconds))
        document = {"app": self.app.name, "instance": lease.ordinal, "node": lease.node, **line}
        self.context.output.item(document, f"{moment} {prefix:<20} | {text}")
