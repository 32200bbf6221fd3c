"""`flux dao cancel`."""

from flux.cli.context import CommandContext
from flux.cli.dao.lookup import by_hand, find_proposal
from flux.cli.dao.show import ProposalArgument
from flux.sdk.bindings.governor import Governor


async def run(context: CommandContext, number: ProposalArgument) -> None:
    """Take your own proposal back before its vote begins; the deposit is yours again."""
    async with context.client() as client:
        info = await find_proposal(client, number)
        receipt = await Governor(client).cancel(await context.signer(client), *by_hand(info))
    context.output.line(f"Proposal {info.proposal.number} was cancelled.")
    context.output.document({"number": info.proposal.number, "transaction": f"0x{receipt.transaction.hex()}"})
