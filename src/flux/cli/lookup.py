"""Finding what people name: an app by name or number, nodes by number."""

import asyncio
from collections.abc import Iterable

from flux.cli.errors import REFUSED, CliError, UsageError
from flux.contracts.apps.types import App, AppId
from flux.contracts.market.types import Lease, Ordinal
from flux.contracts.nodes.types import Node, NodeId
from flux.primitives.types import U16, U32, U64
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.client import FluxClient
from flux.sdk.deployment import progress


async def find_app(client: FluxClient, text: str) -> App:
    """The open app of a name, or any app by its number. Raises CliError when there is none."""
    apps = Apps(client)
    number = _number(text, 18)
    app = await apps.find(text) if number is None else AppId(U64(number))
    if app == 0:
        raise CliError(f"there is no app {text}", "see your apps with `flux app ls`", REFUSED, "UnknownApp")
    return await apps.app(app)


async def nodes_by_id(client: FluxClient, wanted: Iterable[NodeId]) -> dict[NodeId, Node]:
    """The records of some nodes."""
    nodes = Nodes(client)
    records = await asyncio.gather(*(nodes.node(number) for number in sorted(set(wanted))))
    return {record.id: record for record in records}


async def running_instance(client: FluxClient, app: App, wanted: int | None, *, any_will_do: bool = False) -> Lease:
    """The running lease of an instance; of none in particular: of the only one, or of the first where any will do.

    Raises CliError when there is none, UsageError for several. A lease that another is about to take the place of gives
    way to it.
    """
    running = {lease.ordinal: lease for lease in (await progress(client, app.id)).running}
    if wanted is None and len(running) > 1 and not any_will_do:
        raise UsageError(f"{app.name} runs {len(running)} instances", "choose one with --instance")
    number = min(running, default=None) if wanted is None else ordinal(wanted)
    found = None if number is None else running.get(number)
    if found is None:
        what = "instance" if wanted is None else f"instance {wanted}"
        raise CliError(f"no {what} of {app.name} runs", f"see why with `flux app why {app.name}`")
    return found


def node_number(text: str) -> NodeId:
    """A node's number as it was written."""
    number = _number(text, 9)
    if number is None:
        raise UsageError(f"a node is named by its number, got {text}", "see the numbers with `flux node ls`")
    return NodeId(U32(number))


def ordinal(number: int) -> Ordinal:
    """An instance's number."""
    if not 0 <= number < 2**16:
        raise UsageError(f"an instance is a number from 0 on, got {number}")
    return Ordinal(U16(number))


async def protocol_now(client: FluxClient) -> int:
    """Protocol time of the newest block: what leases and balances are counted in."""
    return int((await client.transport.request("flux_clock"))["now"], 16)


def _number(text: str, digits: int) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None
