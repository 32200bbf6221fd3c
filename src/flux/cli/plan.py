"""`flux plan`."""

import asyncio

from flux.cli import format as show
from flux.cli import verdicts as verdict_table
from flux.cli.context import CommandContext
from flux.cli.dollars import find_price
from flux.cli.errors import FAILED
from flux.cli.images import pin_images
from flux.cli.options import FileArgument, GeoOption, InstancesOption, MaxPriceOption, ProfileOption
from flux.cli.quote import Quote, quote_document, standby_rate
from flux.cli.spec_input import Changes, findings_document, read_spec, show_findings
from flux.contracts.apps.types import encode_spec
from flux.primitives.types import U16
from flux.sdk import paging
from flux.sdk.bindings.escrow import Escrow


async def run(
    context: CommandContext,
    file: FileArgument,
    instances: InstancesOption = None,
    geo: GeoOption = None,
    max_price: MaxPriceOption = None,
    profile: ProfileOption = None,
) -> int:
    """Say where a file could run now and at what price, and why every other node is out. Nothing is deployed.

    Exit code 1 when too few nodes could run it.
    """
    changes = Changes(instances=instances, geo=geo or (), max_price=max_price)
    loaded = read_spec(context, file, changes, profile or ())
    show_findings(context, loaded.findings)
    async with context.client() as client:
        loaded = await pin_images(context, loaded)
        spec, wanted = encode_spec(loaded.app_spec), loaded.options.instances
        verdicts, nodes, smallest, price = await asyncio.gather(
            paging.plan(client, spec),
            paging.all_nodes(client),
            Escrow(client).quote(spec, U16(wanted)),
            find_price(client),
        )
        held = await standby_rate(client, verdicts, wanted, loaded.app_spec.standby)
    quote = Quote.of(verdicts, wanted, smallest, loaded.options.deposit, price, held)
    by_id = {node.id: node for node in nodes}
    verdict_table.draw(context.output, verdicts, by_id, price)
    able = len(verdict_table.able(verdicts))
    context.output.line()
    enough = able >= wanted
    sentence = f"{show.count(able, 'node')} can run it, {show.count(wanted, 'instance')} wanted."
    context.output.line(sentence if enough else f"{sentence} Too few: {verdict_table.counted(verdicts)}.")
    quote.draw(context.output)
    context.output.document(
        {
            "name": loaded.options.name,
            "instances": wanted,
            "enough_nodes": enough,
            "nodes": verdict_table.document(verdicts, by_id, price),
            "findings": findings_document(loaded.findings),
            **quote_document(quote),
        }
    )
    return 0 if enough else FAILED
