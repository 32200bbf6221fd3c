"""`flux app secret rm`."""

import time

from flux.cli.app.update import UpdatePatienceOption, seconds_to_wait
from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.cli.lookup import find_app
from flux.cli.options import AppArgument, SecretArgument, WaitOption
from flux.cli.private import made_revision, read_private, replace_private, with_secrets
from flux.cli.rollout import roll_out


async def run(
    context: CommandContext,
    name: AppArgument,
    secret: SecretArgument,
    wait: WaitOption = True,
    patience: UpdatePatienceOption = None,
) -> None:
    """Take a secret away from an app. What its instances have read already they may still know."""
    begun = time.monotonic()
    async with context.client() as client:
        app = await find_app(client, name)
        spec, private = await read_private(context, client, app)
        left = [other for other in private.secrets if other.name != secret]
        if len(left) == len(private.secrets):
            raise CliError(f"{app.name} has no secret {secret}", f"see `flux app secret ls {app.name}`")
        signer = await context.signer(client)
        receipt = await replace_private(context, client, signer, app, spec, with_secrets(private, left))
        revision = made_revision(receipt)
        seconds = seconds_to_wait(spec, app.instances, patience, wait=wait)
        await roll_out(context, client, signer, app.id, receipt, begun, seconds, revision)
