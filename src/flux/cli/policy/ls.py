"""`flux policy ls`."""

import asyncio

from flux.cli.context import CommandContext
from flux.cli.lookup import protocol_now
from flux.cli.policy.denials import COLUMNS, Denied, document, image, rows
from flux.contracts.apps.types import AppId
from flux.primitives.types import U64, Hash
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.policy import Policy
from flux.sdk.client import FluxClient

_PAGE = 1_000


async def run(context: CommandContext) -> None:
    """List images and apps that the network voted not to run, and how long what runs has left."""
    async with context.client() as client:
        apps, images, now = await asyncio.gather(_apps(client), _images(client), protocol_now(client))
    entries = [*apps, *images]
    context.output.table(COLUMNS, rows(entries, now), "Nothing is denied.")
    context.output.document([document(item) for item in entries])


async def _apps(client: FluxClient) -> list[Denied]:
    policy, records = Policy(client), Apps(client)
    found: list[Denied] = []
    start = AppId(U64(1))
    while page := await policy.denied_apps(start):
        for number in page:
            app, denial = await asyncio.gather(records.app(number), policy.app_denial(number))
            found.append(Denied(f"app {app.name}", denial))
        start = AppId(U64(page[-1] + 1))
    return found


async def _images(client: FluxClient) -> list[Denied]:
    policy = Policy(client)
    found: list[Denied] = []
    start = Hash(bytes(32))
    while page := await policy.denied_images(start):
        denials = await asyncio.gather(*(policy.image_denial(digest) for digest in page))
        found += [Denied(image(digest), denial) for digest, denial in zip(page, denials, strict=True)]
        if len(page) < _PAGE:
            break
        start = Hash((int.from_bytes(page[-1], "big") + 1).to_bytes(32, "big"))
    return found
