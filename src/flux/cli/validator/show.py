"""`flux validator show`."""

import asyncio

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.lookup import node_number, protocol_now
from flux.cli.options import NodeArgument
from flux.contracts.validators.types import Count, ValidatorStatus
from flux.primitives.types import U32
from flux.sdk.bindings.probes import Probes
from flux.sdk.bindings.validators import Validators


async def run(context: CommandContext, node: NodeArgument) -> None:
    """Show a validator: its key and power, what it signed and missed, what it still can reveal."""
    number = node_number(node)
    async with context.client() as client:
        validators = Validators(client)
        record, seats, work, epoch, now, params = await asyncio.gather(
            validators.validator(number),
            validators.validator_set(),
            validators.present_work(),
            Probes(client).epoch(),
            protocol_now(client),
            client.transport.request("flux_params"),
        )
    power = next((seat.power for seat in seats if seat.consensus == record.consensus), 0)
    none = Count(record.consensus, U32(0), U32(0), U32(0))
    done = next((item for item in work.counts if item.consensus == record.consensus), none)
    limit, window = (int(params["validators"][name], 16) for name in ("maxMissed", "missedWindow"))
    revealed = record.revealed_next == epoch.epoch + 1
    facts = [
        ("status", _status(record.status, record.jailed_until, now)),
        ("consensus key", record.consensus.hex().upper()),
        ("power", f"{power:,} whole FLUX" if power else "no seat"),
        ("this period", f"{done.signed:,} blocks signed, {done.proposed:,} proposed"),
        ("missed", f"{done.missed:,} of the {limit:,} that are forgiven in {window:,} blocks"),
        ("randomness", f"{'revealed' if revealed else 'not revealed yet'}, {record.reveals_left:,} reveals left"),
    ]
    context.output.facts(facts, f"validator {number}")
    context.output.document(
        {
            "node": number,
            "status": record.status.name.lower(),
            "consensus": record.consensus.hex(),
            "power": power,
            "signed": done.signed,
            "proposed": done.proposed,
            "missed": done.missed,
            "max_missed": limit,
            "jailed_until": record.jailed_until,
            "revealed": revealed,
            "reveals_left": record.reveals_left,
        }
    )


def _status(status: ValidatorStatus, until: int, now: int) -> str:
    if status is ValidatorStatus.TOMBSTONED:
        return "tombstoned: its key signed twice; it can never be a validator again"
    if status is not ValidatorStatus.JAILED:
        return "active"
    wait = f"in {show.duration(until - now)}" if until > now else "now"
    return f"jailed for missed blocks; `flux validator unjail` works {wait}"
