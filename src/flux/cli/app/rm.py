"""`flux app rm`."""

import sys

from flux.cli import format as show
from flux.cli.asking import confirm
from flux.cli.context import CommandContext
from flux.cli.errors import UsageError
from flux.cli.lookup import find_app
from flux.cli.options import AppArgument, YesOption
from flux.cli.seeds import open_seeds
from flux.contracts.escrow.types import Refunded
from flux.sdk.bindings.apps import Apps


async def run(context: CommandContext, name: AppArgument, yes: YesOption = False) -> None:
    """Remove an app. The unused balance goes back to those who paid it, the newest deposit first.

    Its volumes stay on their nodes for a quarantine (7 days), but no other app can have them.
    """
    async with context.client() as client:
        app = await find_app(client, name)
        if not yes:
            if not sys.stdin.isatty():
                raise UsageError(f"removing {app.name} cannot be undone", "confirm with --yes")
            confirm(f"Remove {app.name} (app {app.id}) and its volumes?")
        receipt = await Apps(client).remove(await context.signer(client), app.id)
        (await open_seeds(context, client)).forget(app.name)
    refunds = [event for event in receipt.events() if isinstance(event, Refunded)]
    total = sum(refund.amount for refund in refunds)
    context.output.line(f"{app.name} is removed; {show.flux(total)} came back.")
    context.output.document(
        {
            "app": app.id,
            "name": app.name,
            "refunded": show.exact(total),
            "refunds": [{"payer": show.address(item.payer), "amount": show.exact(item.amount)} for item in refunds],
            "transaction": f"0x{receipt.transaction.hex()}",
        }
    )
