"""`flux node roi`."""

import asyncio
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.lookup import node_number
from flux.cli.node.reckoning import Costs, Income, reckon
from flux.cli.node.staking import own_stake, percent
from flux.cli.options import NodeArgument
from flux.cli.output import right
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.rewards import Rewards
from flux.sdk.bindings.staking import Staking


async def run(
    context: CommandContext,
    node: NodeArgument,
    price_flux: Annotated[float, typer.Option("--price-flux", min=0, metavar="USD", help="Of one FLUX.")],
    power: Annotated[float, typer.Option("--power", min=0, metavar="WATT", help="What the machine draws.")] = 60,
    price_power: Annotated[float, typer.Option("--price-power", min=0, metavar="USD", help="Of a kWh.")] = 0.25,
    hardware: Annotated[float, typer.Option("--hardware", min=0, metavar="USD", help="What the machine cost.")] = 0,
    years: Annotated[float, typer.Option("--years", min=0.1, help="How long the machine lasts.")] = 4,
) -> None:
    """Reckon what a node brings its operator a day and a year, against stake, electricity and hardware.

    The prices are yours; the rest is what the chain says now. Nothing of it is promised.
    """
    number = node_number(node)
    async with context.client() as client:
        pool, income, leases = await asyncio.gather(
            Staking(client).pool(number), Rewards(client).income(number), Market(client).leases_of_node(number)
        )
    own = own_stake(pool)
    found = reckon(
        Income(
            emission=int(income.day),
            commission=pool.commission / 10_000,
            own_part=own / pool.stake if pool.stake else 1.0,
            tenants=sum(lease.rate for lease in leases) * show.DAY * 98 // 100,
        ),
        Costs(price_flux, power, price_power, hardware, years),
        own,
    )
    rows = [(line.name, f"{line.day:,.4f}", f"{line.day * 365:,.2f}") for line in found.lines]
    context.output.table(["PER NODE", right("USD/day"), right("USD/year")], rows)
    context.output.line()
    context.output.line(
        f"{percent(round(found.yearly_return * 10_000))} a year on {found.invested:,.2f} USD of own stake and hardware."
    )
    assumptions = [
        f"one FLUX is worth {price_flux:g} USD all year, and {show.flux(own)} of own stake stay staked",
        "every probe is answered, and the tier pays what it paid in the last settled epoch"
        if income.day
        else "no epoch with this tier has been settled yet, so emission counts as nothing",
        f"delegators stay and get their part, less {percent(pool.commission)} commission",
        f"the {show.count(len(leases), 'lease')} of now stay as they are, less the protocol's 2 %",
        f"{power:g} W at {price_power:g} USD/kWh day and night; {hardware:g} USD of hardware last {years:g} years",
        "no taxes, no slashes, no price of bandwidth",
    ]
    context.output.line("Assumed: " + ";\n         ".join(assumptions) + ".")
    context.output.document(
        {
            "node": number,
            "per_day_usd": {line.key: round(line.day, 6) for line in found.lines},
            "per_year_usd": {line.key: round(line.day * 365, 4) for line in found.lines},
            "invested_usd": round(found.invested, 2),
            "yearly_return": round(found.yearly_return, 6),
            "emission_per_day": show.exact(income.day),
            "assumptions": assumptions,
        }
    )
