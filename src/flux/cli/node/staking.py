"""What the staking commands share: amounts as people write them, and how positions are shown."""

from typing import Annotated, Any

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.errors import UsageError
from flux.contracts.nodes.types import NodeId
from flux.contracts.staking.types import EVERYTHING, Pool, StakeWithdrawn, Undelegated
from flux.kernel.events import Event
from flux.primitives.types import U256, Wei
from flux.primitives.units import parse_flux
from flux.sdk.client import FluxClient, Receipt

AmountArgument = Annotated[str, typer.Argument(metavar="FLUX", help="How much.")]
AmountOrAllArgument = Annotated[str, typer.Argument(metavar="FLUX|all", help="How much, or `all`.")]


def amount_or_all(text: str) -> Wei:
    """The amount that was written; `all` is everything."""
    return Wei(U256(EVERYTHING)) if text == "all" else parse_flux(text)


def own_stake(pool: Pool) -> Wei:
    """The operator's part of a pool."""
    return Wei(U256(pool.stake * pool.own_shares // pool.shares if pool.shares else 0))


def percent(basis_points: int) -> str:
    """Ten-thousandths as people read them: 12.5%."""
    return f"{basis_points / 100:g}%"


def basis_points(text: str) -> int:
    """Ten-thousandths of a percentage such as 12.5 or 12.5%. Raises UsageError."""
    whole, _, fraction = text.removesuffix("%").partition(".")
    if not (whole.isascii() and whole.isdecimal() and len(whole) <= 3 and len(fraction) <= 2):
        raise UsageError(f"a commission is a percentage with at most two decimals, got {text}", "for example 12.5")
    if fraction and not (fraction.isascii() and fraction.isdecimal()):
        raise UsageError(f"a commission is a percentage with at most two decimals, got {text}", "for example 12.5")
    return int(whole) * 100 + int(fraction.ljust(2, "0"))


def transaction(receipt: Receipt) -> dict[str, Any]:
    """What every writing command says of its transaction."""
    return {"transaction": f"0x{receipt.transaction.hex()}"}


def only(events: list[Event], kind: type[Event]) -> Any:
    """The event of a kind that a call always emits."""
    (event,) = [event for event in events if isinstance(event, kind)]
    return event


async def staked(client: FluxClient, context: CommandContext, number: NodeId, amount: Wei) -> None:
    """Bond FLUX of the signer to a node and say what is there now."""
    from flux.sdk.bindings.staking import Staking

    staking = Staking(client)
    signer = await context.signer(client)
    receipt = await staking.delegate(signer, number, value=amount)
    mine, pool = await staking.delegation(number, signer.address), await staking.pool(number)
    context.output.line(
        f"{show.flux(amount)} staked on node {number}; you have {show.flux(mine.value)} of its {show.flux(pool.stake)}."
    )
    context.output.document(
        {
            "node": number,
            "amount": show.exact(amount),
            "yours": show.exact(mine.value),
            "stake": show.exact(pool.stake),
            **transaction(receipt),
        }
    )


async def unstaked(client: FluxClient, context: CommandContext, number: NodeId, amount: Wei) -> None:
    """Begin to take FLUX of the signer out of a node and say when it can be withdrawn."""
    from flux.cli.lookup import protocol_now
    from flux.sdk.bindings.staking import Staking

    receipt = await Staking(client).undelegate(await context.signer(client), number, amount)
    event: Undelegated = only(receipt.events(), Undelegated)
    wait = show.duration(event.ends - await protocol_now(client))
    context.output.line(
        f"{show.flux(event.amount)} leave node {number}. Until they are free they can be slashed.\n"
        f"In {wait}: flux node withdraw {number}"
    )
    context.output.document(
        {"node": number, "amount": show.exact(event.amount), "ends": event.ends, **transaction(receipt)}
    )


async def withdrawn(client: FluxClient, context: CommandContext, number: NodeId) -> None:
    """Take what is through with unbonding."""
    from flux.sdk.bindings.staking import Staking

    receipt = await Staking(client).withdraw(await context.signer(client), number)
    event: StakeWithdrawn = only(receipt.events(), StakeWithdrawn)
    context.output.line(f"{show.flux(event.amount)} of node {number} are back on your account.")
    context.output.document({"node": number, "amount": show.exact(event.amount), **transaction(receipt)})
