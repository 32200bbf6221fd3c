"""`flux app events`."""

import time
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
import typer

from flux.cli import format as show
from flux.cli import words
from flux.cli.brake import find_brake
from flux.cli.context import CommandContext
from flux.cli.lookup import find_app
from flux.cli.options import AppArgument
from flux.cli.story import Story
from flux.contracts.market.standby_types import StandbyEnded
from flux.contracts.market.types import InstancePending, LeaseClosed
from flux.kernel.events import Event
from flux.sdk.client import FluxClient
from flux.sdk.deployment import follow as follow_app
from flux.sdk.history import Happened, app_history
from flux.sdk.paging import all_nodes


async def run(
    context: CommandContext,
    name: AppArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new events.")] = False,
) -> None:
    """List everything the chain recorded of an app, oldest first. With --json, one JSON document a line."""
    async with context.client() as client:
        app = await find_app(client, name)
        story = Story({node.id: node for node in await all_nodes(client)})
        last = (await client.head()).number
        _print(context, story, await app_history(client, app.id, last_block=last))
        if (brake := await find_brake(client)) is not None:
            context.output.item({"event": "BrakeHolds", **brake.document}, f"now: {brake.sentence}")
        if follow:
            await _follow(context, client, story, app.id, last)


async def _follow(context: CommandContext, client: FluxClient, story: Story, app: Any, last: int) -> None:
    async with aclosing(follow_app(client, app)) as states:
        async for _ in states:
            head = (await client.head()).number
            if head > last:
                _print(context, story, await app_history(client, app, first_block=last + 1, last_block=head))
                last = head


def _print(context: CommandContext, story: Story, history: list[Happened]) -> None:
    for told in story.tell(history):
        happened = told.happened
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(happened.timestamp))
        about = "app" if told.ordinal is None else f"instance {told.ordinal}"
        text = f"{moment}  block {happened.block:<7} {type(happened.event).__name__:<20} {about:<12} {told.sentence}"
        context.output.item(event_document(happened, told.ordinal, told.sentence), text)


def event_document(happened: Happened, ordinal: int | None, sentence: str) -> dict[str, Any]:
    """An event for scripts."""
    facts = {name: _plain(getattr(happened.event, name)) for name in happened.event.__struct_fields__}
    return {
        **_named(happened.event),
        "time": happened.timestamp,
        "block": happened.block,
        "transaction": f"0x{happened.transaction.hex()}",
        "event": type(happened.event).__name__,
        "instance": ordinal,
        "sentence": sentence,
        "facts": facts,
    }


def _named(event: Event) -> dict[str, Any]:
    """What the numbers of an event mean, by the names of the protocol's enumerations."""
    if isinstance(event, LeaseClosed):
        return {"reason": words.close_name(event.reason), "failure": words.failure_name(event.reason, event.detail)}
    if isinstance(event, StandbyEnded):
        return {"reason": words.standby_end_name(event.reason)}
    if isinstance(event, InstancePending):
        return {"rejections": words.rejection_names(event.rejections)}
    return {}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return show.address(value) if len(value) == 20 else f"0x{value.hex()}"
    if isinstance(value, int) and value >= 2**53:
        return str(value)
    return msgspec.to_builtins(value)
