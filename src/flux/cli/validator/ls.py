"""`flux validator ls`."""

import asyncio

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.output import Column, right
from flux.contracts.nodes.types import NodeId
from flux.contracts.validators.types import Validator
from flux.primitives.types import U16, U32
from flux.sdk.bindings.validators import Validators
from flux.sdk.client import FluxClient

_PAGE = U16(1_000)


async def run(context: CommandContext) -> None:
    """List the validator set by power, then nodes that opted in and have no seat."""
    async with context.client() as client:
        seats, opted_in = await asyncio.gather(Validators(client).validator_set(), all_validators(client))
    status = {item.consensus: item.status.name.lower() for item in opted_in}
    total = sum(seat.power for seat in seats) or 1
    rows = [
        (
            str(seat.node) if seat.node else "genesis",
            seat.consensus.hex().upper(),
            show.short_address(seat.operator),
            status.get(seat.consensus, "leaving" if seat.node else "active"),
            f"{seat.power:,}",
            f"{100 * seat.power / total:.1f} %",
        )
        for seat in sorted(seats, key=lambda seat: (-seat.power, seat.consensus))
    ]
    seated = {seat.consensus for seat in seats}
    waiting = [item for item in opted_in if item.consensus not in seated]
    rows += [(str(item.node), item.consensus.hex().upper(), "", item.status.name.lower(), "0", "") for item in waiting]
    columns: list[Column | str] = [right("NODE"), "CONSENSUS KEY", "OPERATOR", "STATUS", right("POWER"), right("SHARE")]
    context.output.table(columns, rows, "No validators: one process makes the blocks.")
    context.output.document(
        {
            "set": [
                {
                    "node": seat.node,
                    "consensus": seat.consensus.hex(),
                    "public_key": seat.public_key.hex(),
                    "operator": show.address(seat.operator),
                    "power": seat.power,
                }
                for seat in seats
            ],
            "without_seat": [
                {"node": item.node, "consensus": item.consensus.hex(), "status": item.status.name.lower()}
                for item in waiting
            ],
        }
    )


async def all_validators(client: FluxClient) -> list[Validator]:
    """Every node that opted in."""
    validators = Validators(client)
    found: list[Validator] = []
    while True:
        start = NodeId(U32(found[-1].node + 1 if found else 0))
        page = await validators.validators(start, _PAGE)
        found += page
        if len(page) < _PAGE:
            return found
