"""`flux wallet ls`."""

import asyncio
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.output import Column, right
from flux.primitives.types import Address, Wei
from flux.sdk.errors import Unreachable
from flux.wallet.development import LOCAL_CHAIN_ID, development_addresses
from flux.wallet.wallet import Account, Wallet


async def run(
    context: CommandContext,
    dev: Annotated[bool, typer.Option("--dev", help="Also the development accounts of a local chain.")] = False,
) -> None:
    """List keys and what they hold. Without a chain, only the keys."""
    accounts = Wallet.open(context.home).ls()
    listed = [(account.name, account.address, account.problem) for account in accounts]
    balances, chain_id = await _balances(context, accounts, development=dev)
    if dev or (not accounts and chain_id == LOCAL_CHAIN_ID):
        listed += [(f"dev{index}", address, "") for index, address in enumerate(development_addresses())]
        if not dev:
            balances, _ = await _balances(context, accounts, development=True)
    rows = [
        (
            name,
            show.address(address) if address is not None else "–",
            show.number(balances[address]) if address in balances else "–",
            problem,
        )
        for name, address, problem in listed
    ]
    columns: list[Column | str] = ["NAME", "ADDRESS", right("FLUX"), Column("", wrap=True)]
    context.output.table(columns, rows, "No keys. Make one with `flux wallet new`.")
    context.output.document(
        [
            {
                "name": name,
                "address": None if address is None else show.address(address),
                "balance": show.exact(balances[address]) if address in balances else None,
            }
            for name, address, _ in listed
        ]
    )


async def _balances(
    context: CommandContext, accounts: list[Account], *, development: bool
) -> tuple[dict[Address | None, Wei], int | None]:
    """What accounts hold and the chain's id; nothing and None when no chain answers."""
    wanted = [account.address for account in accounts if account.address is not None]
    wanted += development_addresses() if development else []
    try:
        async with context.client() as client:
            chain_id = await client.chain_id()
            found = await asyncio.gather(*(client.balance(address) for address in wanted))
    except Unreachable as error:
        context.output.note(f"({error.url} does not answer, so balances are not known)")
        return {}, None
    return dict(zip(wanted, found, strict=True)), chain_id
