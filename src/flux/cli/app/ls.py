"""`flux app ls`."""

import asyncio
from typing import Annotated, Any

import typer

from flux.cli import format as show
from flux.cli.accounts import own_address
from flux.cli.context import CommandContext
from flux.cli.lookup import protocol_now
from flux.cli.output import Column, right
from flux.cli.words import status_word
from flux.contracts.apps.types import App, AppStatus
from flux.contracts.escrow.types import EscrowBalance
from flux.contracts.market.types import Lease, LeaseState
from flux.sdk import paging
from flux.sdk.bindings.escrow import Escrow
from flux.sdk.bindings.market import Market
from flux.sdk.client import FluxClient


async def run(
    context: CommandContext,
    everybody: Annotated[bool, typer.Option("--all", "-a", help="Everybody's apps.")] = False,
) -> None:
    """List your apps: status, running instances, price, how long the balance lasts."""
    async with context.client() as client:
        nothing = "No apps. Deploy one with `flux deploy compose.yaml`."
        if everybody:
            found = [app for app in await paging.all_apps(client) if app.status is not AppStatus.CLOSED]
        else:
            own = await own_address(context, client)
            nothing = f"No apps of {show.address(own)}; see everybody's with --all, another account's with --account."
            found = await paging.apps_of(client, own)
        now, details = await asyncio.gather(
            protocol_now(client), asyncio.gather(*(_details(client, app) for app in found))
        )
    rows, documents = [], []
    for app, (leases, balance) in zip(found, details, strict=True):
        running = sum(lease.state is LeaseState.RUNNING for lease in leases)
        lasts = balance.depletes_at - now if balance.depletes_at else None
        rows.append(
            (
                str(app.id),
                app.name,
                status_word("app", app.status),
                f"{running}/{app.instances}",
                show.number(balance.rate * show.HOUR),
                show.number(balance.balance),
                "–" if lasts is None else show.duration(lasts),
            )
        )
        documents.append(_document(app, running, balance, lasts))
    columns: list[Column | str] = [
        right("APP"),
        "NAME",
        "STATUS",
        "RUNNING",
        right("FLUX/h"),
        right("BALANCE"),
        "LASTS",
    ]
    context.output.table(columns, rows, nothing)
    context.output.document(documents)


async def _details(client: FluxClient, app: App) -> tuple[list[Lease], EscrowBalance]:
    return await asyncio.gather(Market(client).leases_of_app(app.id), Escrow(client).balance(app.id))


def _document(app: App, running: int, balance: EscrowBalance, lasts: int | None) -> dict[str, Any]:
    return {
        "app": app.id,
        "name": app.name,
        "owner": show.address(app.owner),
        "status": status_word("app", app.status),
        "revision": app.revision,
        "instances": app.instances,
        "running": running,
        "price_per_hour": show.exact(balance.rate * show.HOUR),
        "balance": show.exact(balance.balance),
        "balance_lasts_seconds": lasts,
    }
