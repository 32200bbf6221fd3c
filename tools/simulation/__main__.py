"""Run it: `python -m tools.simulation [--nodes N] [--apps N] [--years Y] …`, or `make sim`.

Prints progress and the tables. Exits with 1 when an invariant does not hold.
"""

import argparse
import gc
import sys
import time
from pathlib import Path

from tools.paths import STATE
from tools.simulation.behaviours import BEHAVIOURS, Honest
from tools.simulation.economy import Violated
from tools.simulation.placement_cost import compare
from tools.simulation.play import Play, Setting
from tools.simulation.report import tables, write

COLLUDING = 0.3
"""Part of the operators that are in the conspiracy, over its behaviours together."""
ALONE = 0.04
"""Part of the operators of each other dishonest behaviour."""
_CASES = 20


def shares() -> dict[str, float]:
    """Who plays: what is left is honest."""
    others = [kind for kind in BEHAVIOURS if kind is not Honest]
    whole = sum(kind.weight for kind in others if kind.conspires)
    return {kind.name: COLLUDING * kind.weight / whole if kind.conspires else ALONE for kind in others}


def main() -> int:
    """Play, print, write."""
    parser = argparse.ArgumentParser(description="Play the economy on the real contracts.")
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--apps", type=int, default=5_000)
    parser.add_argument("--years", type=float, default=2.0)
    parser.add_argument("--epoch-days", type=float, default=14.0)
    parser.add_argument("--check-every", type=int, default=20, help="blocks between two checks from scratch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=STATE / "simulation")
    options = parser.parse_args()
    setting = Setting(
        nodes=options.nodes,
        apps=options.apps,
        years=options.years,
        epoch_days=options.epoch_days,
        shares=shares(),
        seed=options.seed,
        check_every=options.check_every,
    )
    gc.set_threshold(200_000, 50, 50)  # a state of millions of entries has few cycles and takes long to go through
    play, began = Play(setting), time.monotonic()
    costs = compare(_CASES, setting.seed, (1,)), compare(_CASES, setting.seed, (1, 2, 3))
    try:
        play.run(
            lambda line: print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True),
            lambda so_far: write(so_far, tables(so_far, *costs), options.out),
        )
    except Violated as error:
        print(f"error: an invariant does not hold {error}", file=sys.stderr)
        return 1
    text = tables(play, *costs)
    write(play, text, options.out)
    print(f"\n{text}\nWritten to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
