"""`flux app secret ls`."""

import time
from typing import Any

from flux.cli.context import CommandContext
from flux.cli.lookup import find_app
from flux.cli.options import AppArgument
from flux.cli.private import read_private
from flux.contracts.apps.types import Secret


async def run(context: CommandContext, name: AppArgument) -> None:
    """List an app's secrets: what they are called, who gets them, when they were set. Never what they are."""
    async with context.client() as client:
        app = await find_app(client, name)
        _, private = await read_private(context, client, app)
    rows = [(item.name, _place(item), ", ".join(item.components) or "all", _when(item)) for item in private.secrets]
    context.output.table(["NAME", "AS", "COMPONENTS", "SET"], rows, f"{app.name} has no secrets.")
    context.output.document([_document(item) for item in private.secrets])


def _place(secret: Secret) -> str:
    return f"variable {secret.name}" if secret.in_environment else secret.path or f"/run/secrets/{secret.name}"


def _when(secret: Secret) -> str:
    if not secret.set_at:
        return "with the file"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(secret.set_at))


def _document(secret: Secret) -> dict[str, Any]:
    return {
        "name": secret.name,
        "env": secret.in_environment,
        "path": None if secret.in_environment else _place(secret),
        "components": list(secret.components),
        "set_at": secret.set_at or None,
    }
