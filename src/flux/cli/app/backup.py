"""`flux app backup`."""

import os
import time
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.errors import CliError, UsageError
from flux.cli.lookup import find_app, running_instance
from flux.cli.named_files import named_file
from flux.cli.options import AppArgument
from flux.contracts.apps.types import decode_spec
from flux.primitives.address import to_text
from flux.runtime.types import MIB
from flux.sdk.agent_api import AgentClient
from flux.sdk.backup_file import BackupHeader, BackupWriter, backup_key, new_salt
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.nodes import Nodes

PROGRESS_SECONDS = 2.0


async def run(
    context: CommandContext,
    name: AppArgument,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where the backup is written; must not exist.")],
    instance: Annotated[int | None, typer.Option("--instance", "-i", min=0, help="Of this instance.")] = None,
    volume: Annotated[list[str] | None, typer.Option("--volume", "-v", help="Only this volume.")] = None,
) -> None:
    """Copy an instance's volumes into a file that only the owner's account can open.

    The app goes on meanwhile; its commands in x-flux.backup run before and after. Restore with `flux app restore`.
    """
    if to.exists():
        raise UsageError(f"{to} is there already", "choose another name, or remove it")
    unfinished = to.with_name(to.name + ".partial")
    async with context.client() as client, AgentClient() as agents:
        app = await find_app(client, name)
        lease = await running_instance(client, app, instance)
        spec = decode_spec(await Apps(client).spec(app.id, lease.revision))
        volumes = sorted(volume or {mount.volume for item in spec.components for mount in item.mounts})
        if not volumes:
            raise CliError(f"{app.name} has no volumes", "see `flux app show`")
        signer = await context.signer(client)
        header = BackupHeader(
            app.name, app.id, lease.ordinal, tuple(volumes), to_text(signer.address), int(time.time()), new_salt()
        )
        node = await Nodes(client).node(lease.node)
        total, said_at = 0, time.monotonic()
        try:
            file = _create(unfinished)
        except FileExistsError:
            raise UsageError(f"{unfinished} is there: another backup writes it, or died", "remove it") from None
        try:
            with file:
                writer = BackupWriter(file, header, backup_key(signer, header))
                async for piece in agents.backup(node, signer, lease.id, volumes):
                    writer.write(piece)
                    total += len(piece)
                    if time.monotonic() - said_at >= PROGRESS_SECONDS:
                        said_at = time.monotonic()
                        context.output.note(f"{show.memory(total // MIB)} so far")
                writer.finish()
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(to)
        finally:
            unfinished.unlink(missing_ok=True)
    size = to.stat().st_size
    context.output.line(f"{app.name} instance {lease.ordinal}: {', '.join(volumes)} in {to} ({size:,} bytes).")
    context.output.line(f"Only {header.owner} can open it.")
    context.output.document(
        {
            "app": app.id,
            "name": app.name,
            "instance": lease.ordinal,
            "node": lease.node,
            "volumes": volumes,
            "file": str(to),
            "bytes": size,
            "owner": header.owner,
        }
    )


def _create(path: Path) -> BinaryIO:
    """A new file that only its user can read. Raises FileExistsError, UsageError."""
    with named_file(path, "written", "choose a folder that you may write to"):
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
