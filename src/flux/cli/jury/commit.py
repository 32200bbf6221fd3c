"""`flux jury commit`."""

import os
from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.jury import ballots
from flux.cli.jury.ballots import Ballot
from flux.cli.jury.cases import case_number
from flux.contracts.slashing.types import commitment
from flux.primitives.types import Hash
from flux.sdk.bindings.slashing import Slashing


async def run(
    context: CommandContext,
    case: Annotated[str, typer.Argument(metavar="CASE", help="Number of the case.")],
    guilty: Annotated[bool, typer.Option("--guilty/--not-guilty", help="Your verdict.")],
) -> None:
    """Vote in a jury; nobody sees how until `flux jury reveal`. Whoever does not reveal is slashed.

    The ballot is kept in FLUX_HOME/jury: without it the vote cannot be revealed.
    """
    number = case_number(case)
    async with context.client() as client:
        juror = await context.signer(client)
        ballot = Ballot(guilty, Hash(os.urandom(32)))
        path = ballots.keep(context.home, number, juror.address, ballot)
        hidden = commitment(number, juror.address, ballot.salt, guilty=guilty)
        receipt = await Slashing(client).commit(juror, number, hidden)
        until = (await Slashing(client).case(number)).until
    context.output.line(f"Your vote in case {number} is committed. Reveal it when the others have voted:")
    context.output.line(f"  flux jury reveal {number}")
    context.output.document(
        {"case": number, "until": until, "ballot": str(path), "transaction": f"0x{receipt.transaction.hex()}"}
    )
