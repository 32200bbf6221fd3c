"""`flux oracle feed`."""

import asyncio
from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.dollars import dollars, parse
from flux.cli.errors import CliError, UsageError, translate
from flux.cli.oracle.prices import read
from flux.contracts.oracle.types import UsdPrice
from flux.sdk.bindings.oracle import Oracle
from flux.sdk.client import FluxClient
from flux.sdk.errors import ClientError
from flux.sdk.signer import Signer


async def run(
    context: CommandContext,
    price: Annotated[str | None, typer.Option("--price", metavar="USD", help="Dollars per FLUX.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="FILE|URL", help="Where the price is read before each report.")
    ] = None,
    field: Annotated[
        str | None, typer.Option("--field", metavar="PATH", help="Where it stands in a JSON answer: data.price.")
    ] = None,
    every: Annotated[
        int, typer.Option("--every", min=0, metavar="SECONDS", help="Report again and again; 0 reports once.")
    ] = 0,
) -> None:
    """Report what FLUX costs, as a feeder; free of fees. With --every it goes on until stopped, whatever fails."""
    if (price is None) == (source is None):
        raise UsageError("give either --price or --from", "for example --from https://… --field price --every 60")
    async with context.client() as client:
        signer = await context.signer(client)
        while True:
            try:
                reported = parse(price) if price is not None else await read(source or "", field)
                await _report(context, client, signer, reported)
            except (ClientError, CliError) as error:
                if not every:
                    raise
                context.output.note(f"not reported: {translate(error).sentence}")
            if not every:
                return
            await asyncio.sleep(every)


async def _report(context: CommandContext, client: FluxClient, signer: Signer, price: UsdPrice) -> None:
    receipt = await Oracle(client).report(signer, price)
    document = {"usd_per_flux": dollars(price), "transaction": f"0x{receipt.transaction.hex()}"}
    context.output.item(document, f"Reported {dollars(price)} USD.")
