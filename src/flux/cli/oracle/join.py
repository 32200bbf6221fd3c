"""`flux oracle join`."""

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.primitives.types import U256, Wei
from flux.sdk.bindings.oracle import Oracle


async def run(context: CommandContext) -> None:
    """Put down the bond as a feeder that a vote has admitted."""
    async with context.client() as client:
        bond = Wei(U256(int((await client.transport.request("flux_params"))["oracle"]["bond"], 16)))
        receipt = await Oracle(client).join(await context.signer(client), value=bond)
    context.output.line(f"Joined with a bond of {show.flux(bond)}; report with `flux oracle feed`.")
    context.output.document({"bond": show.exact(bond), "transaction": f"0x{receipt.transaction.hex()}"})
