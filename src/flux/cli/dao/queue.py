"""`flux dao queue`."""

from flux.cli.context import CommandContext
from flux.cli.dao.lookup import by_hand, find_proposal
from flux.cli.dao.show import ProposalArgument
from flux.sdk.bindings.governor import Governor


async def run(context: CommandContext, number: ProposalArgument) -> None:
    """Send a proposal that passed into the timelock. The protocol does it by itself; nobody needs to."""
    async with context.client() as client:
        info = await find_proposal(client, number)
        receipt = await Governor(client).queue(await context.signer(client), *by_hand(info))
    context.output.line(f"Proposal {info.proposal.number} is in the timelock.")
    context.output.document({"number": info.proposal.number, "transaction": f"0x{receipt.transaction.hex()}"})
