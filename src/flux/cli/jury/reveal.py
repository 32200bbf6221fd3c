"""`flux jury reveal`."""

from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.jury import ballots
from flux.cli.jury.cases import case_number
from flux.sdk.bindings.slashing import Slashing


async def run(
    context: CommandContext, case: Annotated[str, typer.Argument(metavar="CASE", help="Number of the case.")]
) -> None:
    """Show how you voted, once the time to vote is over."""
    number = case_number(case)
    async with context.client() as client:
        juror = await context.signer(client)
        ballot = ballots.find(context.home, number, juror.address)
        receipt = await Slashing(client).reveal(juror, number, ballot.guilty, ballot.salt)
    verdict = "guilty" if ballot.guilty else "not guilty"
    context.output.line(f"Your vote in case {number} is revealed: {verdict}.")
    context.output.document({"case": number, "guilty": ballot.guilty, "transaction": f"0x{receipt.transaction.hex()}"})
