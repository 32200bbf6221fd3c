"""`flux app rollback`."""

import time
from typing import Annotated

import typer

from flux.cli.app.update import UpdatePatienceOption, seconds_to_wait
from flux.cli.context import CommandContext
from flux.cli.errors import REFUSED, CliError
from flux.cli.lookup import find_app
from flux.cli.options import AppArgument, DryRunOption, WaitOption
from flux.cli.private import find_private
from flux.cli.rollout import roll_out
from flux.cli.spec_changes import private_changes, spec_changes
from flux.cli.update_plan import make_plan
from flux.contracts.apps.types import App, Revision, decode_spec
from flux.contracts.market.rollout_types import RolloutState
from flux.primitives.types import U32
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.market import Market
from flux.sdk.client import FluxClient


async def run(
    context: CommandContext,
    name: AppArgument,
    to: Annotated[
        int | None,
        typer.Option("--to", min=1, metavar="REVISION", help="Any revision that is kept; see `flux app show`."),
    ] = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = True,
    patience: UpdatePatienceOption = None,
) -> None:
    """Go back to an earlier revision, step by step as an update. Without --to: the last one that ran before."""
    begun = time.monotonic()
    async with context.client() as client:
        app = await find_app(client, name)
        revision = await _previous(client, app) if to is None else Revision(U32(to))
        spec = decode_spec(await Apps(client).spec(app.id, revision))
        if dry_run:
            current = decode_spec(await Apps(client).spec(app.id, app.revision))
            now = await find_private(context, client, app, app.revision)
            then = await find_private(context, client, app, revision)
            changes = spec_changes(current, spec)
            changes += private_changes(now, then, had=current.private, has=spec.private)
            plan = await make_plan(client, app, revision, spec, app.instances, changes)
            plan.draw(context.output)
            context.output.document(plan.document())
            return
        signer = await context.signer(client)
        receipt = await Apps(client).rollback(signer, app.id, revision)
        seconds = seconds_to_wait(spec, app.instances, patience, wait=wait)
        await roll_out(context, client, signer, app.id, receipt, begun, seconds, revision)


async def _previous(client: FluxClient, app: App) -> Revision:
    """The last revision that ran before the current one. Raises CliError when none is kept."""
    rollout = await Market(client).rollout(app.id)
    kept = [item.revision for item in await Apps(client).revisions(app.id)]
    if rollout.state is not RolloutState.NONE and rollout.source != app.revision and rollout.source in kept:
        return rollout.source
    earlier = [revision for revision in kept if revision < app.revision]
    if not earlier:
        raise CliError(
            f"{app.name} has no earlier revision than {app.revision}",
            f"see those that are kept with `flux app show {app.name}`",
            REFUSED,
            "UnknownRevision",
        )
    return earlier[-1]
