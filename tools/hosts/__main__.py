"""`python -m tools.hosts [--hosts N]`: keep a lab up until Ctrl-C; `--down` removes what a killed one left."""

import argparse
import asyncio
import signal

from tools.errors import run_tool
from tools.hosts.lab import DIRECTORY, REGISTRY, Lab, clear, make_lab, running_lab


def main() -> int:
    """Up or down."""
    parser = argparse.ArgumentParser(prog="python -m tools.hosts", description=__doc__)
    parser.add_argument("--hosts", type=int, default=5, metavar="N", help="how many hosts [5]")
    parser.add_argument("--down", action="store_true", help="only remove what is left of an earlier one")
    options = parser.parse_args()
    if options.down:
        clear(make_lab(DIRECTORY, options.hosts))
        return 0
    asyncio.run(_keep_up(options.hosts))
    return 0


async def _keep_up(count: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_lab(count=count, say=lambda line: print(line, flush=True)) as lab:
        print(_hints(lab), flush=True)
        await stop.wait()


def _hints(lab: Lab) -> str:
    client = lab.switch.places["client"]
    lines = [
        "In another terminal, at the client's place:",
        f"  nsenter --net=/run/netns/{client.name} env FLUX_RPC={lab.rpc} REGISTRY={REGISTRY} bash",
        f"  apps answer at {lab.url} with Host: NAME.flux.localhost; logs: {lab.directory / 'logs'}",
    ]
    lines += [f"  {host.name} is node {host.id}: DOCKER_HOST={host.daemon.host}" for host in lab.hosts]
    return "\n".join([*lines, "Ctrl-C ends it."])


if __name__ == "__main__":
    run_tool(main)
