"""Run it: `python -m tools.simulation.availability [--nodes N] [--apps N] …`, or `make sim`.

Prints progress and the table. Exits with 1 when an invariant does not hold, an instance stays missing, or a container
runs without a lease.
"""

import argparse
import asyncio
import gc
import logging
import sys
import time
from pathlib import Path

import structlog

from tools.paths import STATE
from tools.simulation.availability.report import table, write
from tools.simulation.availability.scenario import Scenario, Setting
from tools.simulation.economy import Violated


def main() -> int:
    """Play, print, write."""
    parser = argparse.ArgumentParser(description="Play failures at scale on the real contracts and the agent's plan.")
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--apps", type=int, default=2_000)
    parser.add_argument("--bad-updates", type=int, default=100, help="apps to which a bad image is rolled out")
    parser.add_argument("--flapping-seconds", type=int, default=600)
    parser.add_argument("--check-every", type=int, default=1_000, help="blocks between two checks from scratch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=STATE / "simulation")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.set_threshold(200_000, 50, 50)
    setting = Setting(
        nodes=options.nodes,
        apps=options.apps,
        bad_updates=options.bad_updates,
        flapping_seconds=options.flapping_seconds,
        seed=options.seed,
        check_every=options.check_every,
    )
    began = time.monotonic()
    scenario = Scenario(setting, lambda line: print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True))
    try:
        asyncio.run(scenario.run())
    except Violated as error:
        print(f"error: an invariant does not hold {error}", file=sys.stderr)
        return 1
    text = table(scenario)
    write(scenario, text, options.out)
    print(f"\n{text}\nWritten to {options.out}")
    failed = any(phase.to_full is None for phase in scenario.phases) or scenario.stray_containers()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
