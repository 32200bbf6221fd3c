"""`flux app restore`."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from flux.cli.asking import confirm
from flux.cli.context import CommandContext
from flux.cli.errors import UsageError
from flux.cli.lookup import find_app, running_instance
from flux.cli.named_files import named_file
from flux.cli.options import AppArgument, YesOption
from flux.sdk.agent_api import AgentClient
from flux.sdk.backup_file import read_backup, read_header
from flux.sdk.bindings.nodes import Nodes


async def run(
    context: CommandContext,
    name: AppArgument,
    source: Annotated[Path, typer.Option("--from", metavar="FILE", help="A file of `flux app backup`.")],
    instance: Annotated[int | None, typer.Option("--instance", "-i", min=0, help="Into this instance.")] = None,
    yes: YesOption = False,
) -> None:
    """Replace what is in an instance's volumes by a backup; the components that mount them restart.

    The file is checked from end to end first, and a stream that breaks leaves the old contents.
    """
    async with context.client() as client, AgentClient() as agents:
        app = await find_app(client, name)
        signer = await context.signer(client)
        with _opened(source) as file:
            header = read_header(file)
            length = sum(len(piece) for piece in read_backup(file, signer))
            lease = await running_instance(client, app, instance)
            volumes = ", ".join(header.volumes)
            if not yes:
                if not sys.stdin.isatty():
                    raise UsageError(f"what is in {volumes} of {app.name} is replaced", "confirm with --yes")
                confirm(f"Replace {volumes} of {app.name} instance {lease.ordinal}?")
            node = await Nodes(client).node(lease.node)
            context.output.note(f"{length:,} bytes to node {node.id}")
            tar = _stream(read_backup(file, signer))
            await agents.restore(node, signer, lease.id, header.volumes, tar, length)
    context.output.line(f"{app.name} instance {lease.ordinal} runs with {volumes} of the backup.")
    context.output.document(
        {
            "app": app.id,
            "name": app.name,
            "instance": lease.ordinal,
            "node": lease.node,
            "volumes": list(header.volumes),
            "from": {"app": header.app, "instance": header.instance, "created_at": header.created_at},
        }
    )


def _opened(path: Path) -> BinaryIO:
    with named_file(path):
        return path.open("rb")


async def _stream(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
