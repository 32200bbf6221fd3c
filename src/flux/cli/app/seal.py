"""`flux app seal`."""

from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.cli.lookup import find_app
from flux.cli.options import AppArgument
from flux.cli.rollout import Rollout, give_seed_once
from flux.cli.seeds import find_seed


async def run(context: CommandContext, name: AppArgument) -> None:
    """Give an app's seed to the nodes that hold a lease of it.

    Needed only when a command was broken off before it gave it, or when all nodes that had it are gone and its keepers
    too: otherwise it comes back by itself.
    """
    async with context.client() as client:
        app = await find_app(client, name)
        seed = await find_seed(context, client, app.id, app.name, app.revision)
        if seed is None:
            raise CliError(
                f"the seed of {app.name}, revision {app.revision}, is not on this machine",
                "run this where it was deployed, or make a new one with `flux app update`",
            )
        signer = await context.signer(client)
        rollout = Rollout(context, client, app.id, app.name, app.revision, app.instances, signer, seed)
        given = await give_seed_once(rollout)
    context.output.line(f"The seed of {app.name} was given to {given} of its nodes.")
    context.output.document({"app": app.id, "name": app.name, "given": given})
