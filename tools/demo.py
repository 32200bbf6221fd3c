"""`make demo`: a whole cloud on this machine and its economy, in under three minutes.

Exit status 0 only if everything it promises held.
"""

import asyncio
import shutil
import signal
import sys
import time

from flux.services.local_cloud import CloudOptions
from tools.demonstration.scenario import play
from tools.demonstration.stage import DemoFailed, staged
from tools.paths import STATE

HOME = STATE / "demo"


def say(line: str) -> None:
    """Tell the person who watches."""
    print(line, flush=True)


async def run() -> int:
    """Play the demonstration on the usual ports."""
    begun = time.monotonic()
    shutil.rmtree(HOME, ignore_errors=True)
    options = CloudOptions(home=HOME / "cloud")
    try:
        async with staged(HOME, options, say) as stage:
            figures = await play(stage)
    except DemoFailed as error:
        say(f"\nThe demonstration failed: {error}")
        say(f"The logs are in {HOME}.")
        return 1
    say("\n== In short")
    for name, value in figures.items():
        say(f"  {name.replace('_', ' ')}: {value}")
    say(f"Everything held, after {time.monotonic() - begun:.0f} s. Try it yourself: `.venv/bin/flux up`.")
    return 0


if __name__ == "__main__":
    # A plain kill is an interrupt too, so that whatever was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(asyncio.run(run()))
