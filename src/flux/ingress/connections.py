"""Ends connections to machines that are gone, so that requests which wait on one are made again elsewhere.

A request that was sent over an open connection in the moment its host lost power would wait until its client gives up:
nobody says goodbye, Caddy 2.6 has no limit for data that is not acknowledged, and the kernel's is a quarter of an hour.
"""

import asyncio
import shutil
from ipaddress import ip_address

import structlog

from flux.ingress.routes import Target

log = structlog.get_logger(__name__)
SECONDS = 5.0
"""For the tool that asks the kernel."""


async def end_connections(target: Target) -> None:
    """End all TCP connections of this machine to a target. Without the tool, or the right to do so, they stay."""
    program = shutil.which("ss")
    if program is None or not _is_address(target.host):
        return
    process = await asyncio.create_subprocess_exec(
        program, "--kill", "--tcp", "--numeric", "--no-header", "dst", str(target),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return
    log.info("connections to a lost machine ended", target=str(target), connections=len(output.splitlines()))


def _is_address(host: str) -> bool:
    """A name would have to be resolved, perhaps to other machines than Caddy's."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
