"""Results as a table for people, as JSON for programs, and as the document RESULTS.md."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.measurement import Machine, Measurement, Results, Section

FOLDER = Path(__file__).parent
JSON = FOLDER / "results.json"
DOCUMENT = FOLDER / "RESULTS.md"

_INTRODUCTION = """# Measurements

Written by `make bench`; one part is measured again with `python -m bench NAME`. Numbers are medians with the lowest and
highest of the runs. Goals are the project's own; references are other systems' figures on a machine of the same size,
unless they say otherwise.
"""


def find_previous() -> dict[str, Section]:
    """Sections of the last results, so that one part can be measured anew."""
    try:
        return dict(msgspec.json.decode(JSON.read_bytes(), type=Results).sections)
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def write(results: Results) -> None:
    """Write results.json and RESULTS.md."""
    JSON.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    DOCUMENT.write_text(document(results), encoding="utf-8")


def print_section(console: Console, section: Section) -> None:
    """A table on the terminal."""
    table = Table(title=section.title, title_justify="left", caption=section.method, caption_justify="left")
    table.add_column("what", ratio=3)
    for name in ("median", "lowest", "highest", "goal"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for item in section.measurements:
        table.add_row(
            item.what, f"{number(item.median)} {item.unit}", number(item.lowest), number(item.highest), *_goal(item)
        )
    console.print(table)


def document(results: Results) -> str:
    """The text of RESULTS.md."""
    parts = [_INTRODUCTION, _machine(results.machine)]
    for section in results.sections.values():
        parts.append(f"## {section.title}\n\n{section.method} Measured {section.measured_at}.\n\n{_table(section)}")
    return "\n".join(parts)


def number(value: float) -> str:
    """With a sensible number of digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _machine(machine: Machine) -> str:
    hardware = f"{machine.cores} cores ({machine.processor}), {machine.memory_gib} GiB of memory"
    software = f"{machine.system}, {machine.python}, databases on {machine.disk}"
    return f"Machine: {hardware}; {software}. Load average when the last part began: {machine.load}.\n"


def _table(section: Section) -> str:
    lines = ["| what | median | lowest – highest | runs | goal | reference |", "|---|---|---|---|---|---|"]
    for item in section.measurements:
        spread = f"{number(item.lowest)} – {number(item.highest)}"
        cells = (item.what, f"{number(item.median)} {item.unit}", spread, str(len(item.values)))
        lines.append("| " + " | ".join((*cells, " ".join(_goal(item)).strip(), item.reference)) + " |")
    return "\n".join(lines) + "\n"


def _goal(item: Measurement) -> tuple[str, str]:
    if item.goal is None:
        return "", ""
    sign = "≥" if item.goal.at_least else "≤"
    return f"{sign} {item.goal.bound:,g}", "reached" if item.is_reached else "not reached"
