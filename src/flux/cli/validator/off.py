"""`flux validator off`."""

from flux.cli.context import CommandContext
from flux.cli.lookup import node_number
from flux.cli.options import NodeArgument
from flux.sdk.bindings.validators import Validators


async def run(context: CommandContext, node: NodeArgument) -> None:
    """Opt a node out. Keep its chain running until `flux validator ls` does not list it any more."""
    number = node_number(node)
    async with context.client() as client:
        validators = Validators(client)
        consensus = (await validators.validator(number)).consensus
        receipt = await validators.disable(await context.signer(client), number)
        seated = any(seat.consensus == consensus for seat in await validators.validator_set())
    if seated:
        context.output.line(
            f"Node {number} loses its seat bit by bit at the ends of periods: keep it running until then."
        )
    else:
        context.output.line(f"Node {number} is out. Its stake answers for what its key signed until unbonding is over.")
    context.output.document({"node": number, "seated": seated, "transaction": f"0x{receipt.transaction.hex()}"})
