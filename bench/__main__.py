"""`python -m bench [NAME…]`: measure, print tables, write results.json and RESULTS.md."""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module

import msgspec
from rich.console import Console

from bench import report
from bench.machine import describe
from bench.measurement import Report, Results, Section

BENCHES = {
    "transfers": "bench.transfers",
    "placement": "bench.decisions",
    "committed": "bench.committed",
    "cometbft": "bench.comet",
    "economy": "bench.economy",
    "cloud": "bench.cloud",
    "idle": "bench.idle",
    "hosts": "bench.hosts",
}
"""In the order in which they run; each module has `run(report) -> Section`."""


def main() -> None:
    """Measure what the command line names, everything by default."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Flux on this machine.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(BENCHES)} [all]")
    names = parser.parse_args().names or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}; choose from {', '.join(BENCHES)}")
    console = Console(width=max(Console().width, 120))
    sections = report.find_previous()
    for name in names:
        machine = describe()
        section = _measure(name, console)
        report.print_section(console, section)
        sections[name] = section
        ordered = {known: sections[known] for known in BENCHES if known in sections}
        report.write(Results(machine, ordered))
    console.print(f"written: {report.DOCUMENT.name}, {report.JSON.name} in bench/")


def _measure(name: str, console: Console) -> Section:
    run: Callable[[Report], Section] = import_module(BENCHES[name]).run
    started = time.monotonic()
    with console.status(name) as status:
        section = run(status.update)
    console.print(f"{name}: {time.monotonic() - started:.0f} s")
    return msgspec.structs.replace(section, measured_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))


if __name__ == "__main__":
    main()
