"""`flux dao execute`."""

from flux.cli.context import CommandContext
from flux.cli.dao.lookup import by_hand, find_proposal
from flux.cli.dao.show import ProposalArgument
from flux.sdk.bindings.governor import Governor


async def run(context: CommandContext, number: ProposalArgument) -> None:
    """Carry out a proposal whose timelock is over. The protocol does it by itself; this tries again what failed."""
    async with context.client() as client:
        info = await find_proposal(client, number)
        receipt = await Governor(client).execute(await context.signer(client), *by_hand(info))
    context.output.line(f"Proposal {info.proposal.number} was carried out.")
    context.output.document({"number": info.proposal.number, "transaction": f"0x{receipt.transaction.hex()}"})
