"""`flux policy show`."""

from flux.cli.context import CommandContext
from flux.cli.lookup import find_app, protocol_now
from flux.cli.options import AppArgument
from flux.cli.policy.denials import COLUMNS, document, of_app, rows


async def run(context: CommandContext, name: AppArgument) -> None:
    """Say whether an app or one of its images is denied, why, and how long it may go on."""
    async with context.client() as client:
        app = await find_app(client, name)
        found, now = await of_app(client, app), await protocol_now(client)
    context.output.table(COLUMNS, rows(found, now), f"Nothing stands against {app.name}.")
    if any(not item.denial.appealed for item in found):
        context.output.line(f'Its owner may appeal once: flux policy appeal {app.name} "why it should run"')
    context.output.document({"app": app.id, "name": app.name, "denials": [document(item) for item in found]})
