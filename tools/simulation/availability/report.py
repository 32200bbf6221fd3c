"""The table and the plot of a run: for people on the terminal, and for docs/availability.md."""

import json
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from tools.simulation.availability.scenario import Phase, Scenario
from tools.simulation.plot import INK, OTHER, save


def table(scenario: Scenario) -> str:
    """Markdown."""
    setting, cloud = scenario.setting, scenario.cloud
    wanted = len(cloud.serving.wanted)
    moves = cloud.serving.moves.values()
    lines = [
        f"{setting.nodes:,} nodes of {len(cloud.population.operators):,} operators, {setting.apps:,} apps with "
        f"{wanted:,} instances, seed {setting.seed}; {cloud.economy.blocks:,} blocks, one a second. "
        f"{len(cloud.machines_in(setting.country)):,} nodes stand in the country that is lost first, "
        f"{len(cloud.machines_in(setting.largest)):,} in the largest, which is lost then. "
        f"The agents carried out {cloud.hosts.actions:,} plans. An instance moved {sum(moves) / wanted:.2f} times in "
        f"the whole run, none more than {max(moves, default=0)} times. At the end {cloud.serving.missing:,} instances "
        f"were missing, and {scenario.stray_containers():,} containers ran without a lease.",
        "",
        "| phase | seconds | all served again after | missing at the worst | served | moved | most moves of one | "
        "brake | transactions a block: mean, most | gas a block: mean, most (million) |",
        "|---|---:|---:|---:|---:|---:|---:|---|---:|---:|",
        *(_row(phase, wanted) for phase in scenario.phases),
    ]
    return "\n".join(lines) + "\n"


def write(scenario: Scenario, text: str, folder: Path) -> None:
    """The text, the numbers and the plot into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "availability.md").write_text(text, encoding="utf-8")
    phases = [
        {
            "name": phase.name,
            "seconds": len(phase.seconds),
            "to_full": phase.to_full,
            "most_missing": phase.most_missing,
            "moved": phase.moved,
            "most_moves": phase.most_moves,
            "braked": phase.braked,
        }
        for phase in scenario.phases
    ]
    (folder / "availability.json").write_text(json.dumps(phases, indent=1) + "\n", encoding="utf-8")
    _plot(scenario, folder / "availability.svg")


def _row(phase: Phase, wanted: int) -> str:
    seconds = phase.seconds
    transactions, gas = [item.transactions for item in seconds], [item.gas / 1e6 for item in seconds]
    served = 1 - sum(item.missing for item in seconds) / (wanted * len(seconds))
    full = "never" if phase.to_full is None else f"{phase.to_full:,} s"
    return (
        f"| {phase.name} | {len(seconds):,} | {full} | {phase.most_missing:,} | {served:.3%} | {phase.moved:,} | "
        f"{phase.most_moves} | {'held' if phase.braked else 'not set'} | {_mean(transactions):,.0f}, "
        f"{max(transactions):,} | {_mean(gas):,.1f}, {max(gas):,.1f} |"
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _plot(scenario: Scenario, path: Path) -> None:
    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    seconds = scenario.cloud.seconds
    times = range(len(seconds))
    above.plot(times, [item.missing for item in seconds], color=INK, linewidth=1)
    above.set_ylabel("instances that nobody serves")
    above.set_yscale("symlog", linthresh=10)
    below.plot(times, [item.gas / 1e6 for item in seconds], color=OTHER, linewidth=0.6)
    below.set_ylabel("million gas a block")
    below.set_yscale("symlog", linthresh=1)
    below.set_xlabel("second")
    begins = 0
    for phase in scenario.phases:
        for axes in (above, below):
            axes.axvline(begins, color="grey", linewidth=0.6, linestyle=":")
        above.annotate(
            phase.name, (begins, 0.98), xycoords=("data", "axes fraction"), fontsize=7, rotation=90, va="top"
        )
        begins += len(phase.seconds)
    save(figure, path)
