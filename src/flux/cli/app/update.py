"""`flux app update`."""

import time
from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.images import pin_images
from flux.cli.lookup import find_app
from flux.cli.options import (
    AppArgument,
    DryRunOption,
    FileArgument,
    GeoOption,
    InstancesOption,
    MaxPriceOption,
    ProfileOption,
    WaitOption,
)
from flux.cli.private import find_private, lock, made_revision, next_revision, with_kept_secrets
from flux.cli.rollout import roll_out
from flux.cli.spec_changes import private_changes, spec_changes
from flux.cli.spec_input import Changes, read_spec, show_findings
from flux.cli.update_plan import Plan, make_plan
from flux.contracts.apps.types import App, AppSpec, Update, decode_spec, encode_spec
from flux.primitives.types import U16
from flux.sdk.bindings.apps import Apps
from flux.sdk.client import FluxClient
from flux.specs.loaded import LoadedSpec, with_private

STEP_SECONDS = 60
"""What a step may take beside the time for which it is watched, before the command stops to wait."""
LEAST_PATIENCE = 300

UpdatePatienceOption = Annotated[
    int | None,
    typer.Option("--timeout", min=1, metavar="SECONDS", help="How long to wait; by default as long as it may take."),
]


async def run(
    context: CommandContext,
    name: AppArgument,
    file: FileArgument,
    instances: InstancesOption = None,
    geo: GeoOption = None,
    max_price: MaxPriceOption = None,
    profile: ProfileOption = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = True,
    patience: UpdatePatienceOption = None,
) -> None:
    """Replace what runs by a new version of the file, step by step.

    Each instance keeps serving until its replacement runs. When one does not stay well, everything goes back to the
    version before (x-flux.update.on_failure), and the command ends with exit code 1.
    """
    begun = time.monotonic()
    changes = Changes(name, instances, geo or (), max_price)
    loaded = read_spec(context, file, changes, profile or ())
    show_findings(context, loaded.findings)
    async with context.client() as client:
        app = await find_app(client, name)
        loaded = await pin_images(context, loaded)
        loaded = with_private(loaded, await with_kept_secrets(context, client, app, loaded.private))
        if dry_run:
            plan = await _plan(context, client, app, loaded)
            plan.draw(context.output)
            context.output.document(plan.document())
            return
        signer = await context.signer(client)
        spec, wanted = loaded.app_spec, loaded.options.instances
        ciphertext = await lock(context, client, app, loaded.private)
        receipt = await Apps(client).update(signer, app.id, U16(wanted), encode_spec(spec), ciphertext)
        seconds = seconds_to_wait(spec, wanted, patience, wait=wait)
        await roll_out(context, client, signer, app.id, receipt, begun, seconds, made_revision(receipt))


def seconds_to_wait(spec: AppSpec, instances: int, patience: int | None, *, wait: bool) -> int | None:
    """How long to wait for a rollout: as long as was said, else as it may take there and back; None is not at all."""
    if not wait:
        return None
    if patience is not None:
        return patience
    update = spec.update or Update()
    steps = -(-instances // update.parallelism)
    return max(LEAST_PATIENCE, 2 * steps * (max(update.delay_seconds, update.monitor_seconds) + STEP_SECONDS))


async def _plan(context: CommandContext, client: FluxClient, app: App, loaded: LoadedSpec) -> Plan:
    current = decode_spec(await Apps(client).spec(app.id, app.revision))
    old = await find_private(context, client, app, app.revision)
    changes = spec_changes(current, loaded.app_spec)
    changes += private_changes(old, loaded.private, had=current.private, has=loaded.app_spec.private)
    return await make_plan(client, app, next_revision(app), loaded.app_spec, loaded.options.instances, changes)
