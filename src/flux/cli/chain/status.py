"""`flux chain status`."""

import asyncio

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.errors import FAILED
from flux.primitives.units import format_gwei


async def run(context: CommandContext) -> int:
    """Show the chain: id, engine, newest block, fees, whether it is healthy.

    Exit code 1 when it stands still.
    """
    async with context.client() as client:
        info, health, price, clock = await asyncio.gather(
            *(
                client.transport.request(name)
                for name in ("flux_chainInfo", "flux_health", "eth_gasPrice", "flux_clock")
            )
        )
    head, age = int(info["head"]["number"], 16), int(health["headAgeSeconds"], 16)
    waiting = int(health["pendingTransactions"], 16)
    healthy = "yes" if health["healthy"] else f"no: {health['reason']}"
    context.output.facts(
        [
            ("endpoint", context.rpc),
            ("chain id", str(int(info["chainId"], 16))),
            ("engine", f"{info['engine']}, version {info['version']}"),
            ("head", f"block {head:,}, {show.duration(age)} ago"),
            ("waiting", show.count(waiting, "transaction")),
            ("gas price", f"{format_gwei(int(price, 16))} gwei"),
            ("gaps", f"{show.duration(int(clock['gaps'], 16))} in which it stood still; nothing was charged then"),
            ("genesis", info["genesisHash"]),
            ("healthy", healthy),
        ]
    )
    context.output.document(
        {
            "rpc": context.rpc,
            "chain_id": int(info["chainId"], 16),
            "engine": info["engine"],
            "version": info["version"],
            "genesis": info["genesisHash"],
            "head": head,
            "head_hash": info["head"]["hash"],
            "head_age_seconds": age,
            "pending_transactions": waiting,
            "gas_price_wei": str(int(price, 16)),
            "healthy": health["healthy"],
            "reason": health["reason"],
        }
    )
    return 0 if health["healthy"] else FAILED
