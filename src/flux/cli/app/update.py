"""`flux app update`."""

import time

from flux.cli.context import CommandContext
from flux.cli.images import pin_images
from flux.cli.lookup import find_app
from flux.cli.options import (
    AppArgument,
    FileArgument,
    GeoOption,
    InstancesOption,
    MaxPriceOption,
    PatienceOption,
    ProfileOption,
    WaitOption,
)
from flux.cli.private import lock, with_kept_secrets
from flux.cli.rollout import roll_out
from flux.cli.spec_input import Changes, read_spec, show_findings
from flux.contracts.apps.types import encode_spec
from flux.primitives.types import U16
from flux.sdk.bindings.apps import Apps
from flux.specs.loaded import with_private


async def run(
    context: CommandContext,
    name: AppArgument,
    file: FileArgument,
    instances: InstancesOption = None,
    geo: GeoOption = None,
    max_price: MaxPriceOption = None,
    profile: ProfileOption = None,
    wait: WaitOption = True,
    patience: PatienceOption = 300,
) -> None:
    """Replace what runs by a new version of the file. Each instance keeps serving until its replacement runs."""
    begun = time.monotonic()
    changes = Changes(name, instances, geo or (), max_price)
    loaded = read_spec(context, file, changes, profile or ())
    show_findings(context, loaded.findings)
    async with context.client() as client:
        app = await find_app(client, name)
        loaded = await pin_images(context, loaded)
        signer = await context.signer(client)
        loaded = with_private(loaded, await with_kept_secrets(context, client, app, loaded.private))
        ciphertext = await lock(context, client, app, loaded.private)
        receipt = await Apps(client).update(
            signer, app.id, U16(loaded.options.instances), encode_spec(loaded.app_spec), ciphertext
        )
        await roll_out(context, client, signer, app.id, receipt, begun, patience if wait else None)
