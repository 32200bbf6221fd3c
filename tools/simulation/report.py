"""The tables and plots of a run: for people on the terminal, and for docs/economics.md."""

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from flux.contracts.rewards import rules
from flux.primitives.types import WEI_PER_FLUX
from tools.simulation.outcome import Concentration, Earned, concentration, earned
from tools.simulation.placement_cost import Comparison
from tools.simulation.play import Play

_INK = "#1f4e79"
_OTHER = "#b5651d"


def tables(play: Play, alone: Sequence[Comparison], spread: Sequence[Comparison]) -> str:
    """Markdown."""
    setting, last = play.setting, play.history[-1]
    lines = [
        f"{len(play.population.machines):,} nodes of {len(play.population.operators):,} operators, "
        f"{setting.apps:,} apps, {setting.years:g} years in {len(play.history)} epochs of {setting.epoch_days:g} days, "
        f"seed {setting.seed}. "
        f"{play.economy.blocks:,} blocks; every invariant held after {_checked(setting.check_every)}. "
        f"{play.population.started:,} leases ran, {play.watch.suspected:,} suspicions were examined, "
        f"{play.prosecutor.cases:,} cases were opened. "
        f"Emitted: {last.emitted // WEI_PER_FLUX:,} FLUX. Calls refused: {_refused(play)}.",
        "",
        "| behaviour | what it does | nodes | emission | tenants | slashed | net | beside honest |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
        *(_earned_row(row) for row in earned(play)),
        "",
        "Income in FLUX per year and 100 FLUX of stake. *Beside honest*: net income over that of honest nodes in the "
        "same declared tiers.",
        "",
        "| of operators' | Gini | largest operator | operators that hold a third |",
        "|---|---:|---:|---:|",
        *(_spread_row(row) for row in concentration(play)),
        "",
        "| placement on 8 almost full nodes | cases | above the optimum: median | worst |",
        "|---|---:|---:|---:|",
        _cost_row("apps of one instance", alone),
        _cost_row("apps of 1–3 instances; the optimum need not spread them", spread),
    ]
    return "\n".join(lines) + "\n"


def write(play: Play, text: str, folder: Path) -> None:
    """The text, the numbers and the plots into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "outcome.md").write_text(text, encoding="utf-8")
    rows = [{**row._asdict(), "net": row.net} for row in earned(play)]
    history = [
        {"day": round(item.day, 2), "emitted": item.emitted // WEI_PER_FLUX, "apps": item.apps} for item in play.history
    ]
    document = {"earned": rows, "concentration": [row._asdict() for row in concentration(play)], "history": history}
    (folder / "outcome.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    _plot_behaviours(earned(play), folder / "behaviours.svg")
    _plot_emission(play, folder / "emission.svg")


def _earned_row(row: Earned) -> str:
    return (
        f"| {row.behaviour} | {row.says} | {row.machines:,} | {row.emission:.2f} | {row.tenants:.2f} | "
        f"{row.slashed:.2f} | {row.net:.2f} | {row.beside_honest:.2f} |"
    )


def _spread_row(row: Concentration) -> str:
    return f"| {row.of} | {row.gini:.2f} | {row.largest:.1%} | {row.third} |"


def _cost_row(name: str, cases: Sequence[Comparison]) -> str:
    ordered = sorted(case.excess for case in cases)
    return f"| {name} | {len(ordered)} | {ordered[len(ordered) // 2]:.1%} | {ordered[-1]:.1%} |"


def _refused(play: Play) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in play.economy.refused.most_common()) or "none"


def _checked(every: int) -> str:
    return "each of them" if every == 1 else f"every {every:,} of them and at the end"


def _plot_behaviours(rows: Sequence[Earned], path: Path) -> None:
    figure = Figure(figsize=(8, 0.45 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    names = [row.behaviour for row in reversed(rows)]
    values = [row.beside_honest for row in reversed(rows)]
    axes.barh(names, values, color=[_INK if value <= 1.005 else _OTHER for value in values])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("net income beside honest nodes of the same tiers")
    _save(figure, path)


def _plot_emission(play: Play, path: Path) -> None:
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    pool = int(play.economy.params.rewards.pool)
    days = [item.day for item in play.history]
    budget = [rules.budget(pool, int(day * 86_400)) / WEI_PER_FLUX / 1e6 for day in days]
    axes.plot(days, budget, color=_OTHER, label="budget of the schedule")
    axes.plot(days, [item.emitted / WEI_PER_FLUX / 1e6 for item in play.history], color=_INK, label="emitted")
    axes.set_xlabel("day")
    axes.set_ylabel("million FLUX")
    axes.legend()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    """The same bytes for the same run; text as text."""
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "flux"}):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
