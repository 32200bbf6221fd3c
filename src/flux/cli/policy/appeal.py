"""`flux policy appeal`."""

from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.lookup import find_app, protocol_now
from flux.cli.options import AppArgument
from flux.cli.policy.denials import document, of_app
from flux.sdk.bindings.policy import Policy


async def run(
    context: CommandContext,
    name: AppArgument,
    statement: Annotated[str, typer.Argument(metavar="STATEMENT", help="Why it should run; kept in the chain's logs.")],
) -> None:
    """Ask the voters to think again about your app or its image: once, and it may go on for longer meanwhile."""
    async with context.client() as client:
        app = await find_app(client, name)
        receipt = await Policy(client).appeal(await context.signer(client), app.id, statement)
        found, now = await of_app(client, app), await protocol_now(client)
    left = max((item.denial.enforced_from - now for item in found), default=0)
    context.output.line(f"Appealed; {app.name} may go on for {show.duration(left)}. A vote can lift the denial:")
    lifts = [
        f"--allow-app {app.name}" if item.what.startswith("app ") else f"--allow-image {item.what}" for item in found
    ]
    context.output.line(f'  flux dao propose "Let {app.name} run" {" ".join(lifts)}')
    context.output.document(
        {
            "app": app.id,
            "denials": [document(item) for item in found],
            "transaction": f"0x{receipt.transaction.hex()}",
        }
    )
