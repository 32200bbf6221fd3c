"""`flux node appeal`."""

from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.jury import cases
from flux.cli.lookup import protocol_now
from flux.sdk.bindings.slashing import Slashing


async def run(
    context: CommandContext,
    case: Annotated[str, typer.Argument(metavar="CASE", help="Number of the case: `flux jury ls`.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it was no fault of yours; jurors read it.")],
) -> None:
    """Have a jury decide before your node is slashed. The deposit comes back unless the jury says guilty."""
    number = cases.case_number(case)
    async with context.client() as client:
        slashing = Slashing(client)
        deposit = (await slashing.case(number)).deposit
        receipt = await slashing.appeal(await context.signer(client), number, reason, value=deposit)
        record, now = await slashing.case(number), await protocol_now(client)
    context.output.line(
        f"Case {number} is appealed with {show.flux(deposit)}."
        f" Its jury is drawn in {show.duration(record.until - now)}; follow it with `flux jury ls`."
    )
    context.output.document({**cases.document(record), "transaction": f"0x{receipt.transaction.hex()}"})
