"""The tables and plots of a run: for people on the terminal, and for docs/economics.md."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from flux.contracts.rewards import rules
from flux.primitives.types import WEI_PER_FLUX
from tools.simulation.outcome import Concentration, Earned, concentration, earned
from tools.simulation.placement_cost import Comparison
from tools.simulation.play import EpochRecord, Play
from tools.simulation.plot import INK, OTHER, save


def tables(play: Play, alone: Sequence[Comparison], spread: Sequence[Comparison]) -> str:
    """Markdown."""
    setting, last = play.setting, play.history[-1]
    lines = [
        f"{len(play.population.machines):,} nodes of {len(play.population.operators):,} operators, "
        f"up to {setting.apps:,} apps, {last.day / 365:.2f} years in {len(play.history)} epochs of "
        f"{setting.epoch_days:g} days, "
        f"seed {setting.seed}. "
        f"{play.economy.blocks:,} blocks; after each every invariant held that it could have broken, and all of them "
        f"from scratch {play.economy.full_checks:,} times. "
        f"{play.population.started:,} leases ran, {play.watch.suspected:,} suspicions were examined, "
        f"{play.prosecutor.cases:,} cases were opened. "
        f"{play.tenants.ran_dry:,} times an account ran dry, {play.tenants.priced_out:,} tenants were priced out. "
        f"Emitted: {last.emitted // WEI_PER_FLUX:,} FLUX of {_allowed(play, last) // WEI_PER_FLUX:,} that the schedule "
        f"allows. "
        f"Supply at most {max(item.supply for item in play.history) // WEI_PER_FLUX:,} FLUX.",
        "",
        "| behaviour | what it does | nodes | emission | tenants | slashed | net | beside honest | beside peace |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
        *(_earned_row(row) for row in earned(play)),
        "",
        "Income in FLUX per year and 100 FLUX of stake. *Beside honest*: net income over that of honest nodes in the "
        "same declared tiers, who are the victims of the others. *Beside peace*: over what the same nodes would have "
        "if all were honest; below 1 the behaviour costs whoever shows it.",
        "",
        "| of operators' | Gini | largest operator | operators that hold a third |",
        "|---|---:|---:|---:|",
        *(_spread_row(row) for row in concentration(play)),
        "",
        *_outages(play),
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
        {
            "day": round(item.day, 2),
            "emitted": item.emitted // WEI_PER_FLUX,
            "apps": item.apps,
            "leases": item.running,
            "dollars": round(item.price, 4),
        }
        for item in play.history
    ]
    outages = [asdict(item) for item in play.outages.all]
    document = {
        "earned": rows,
        "outages": outages,
        "concentration": [row._asdict() for row in concentration(play)],
        "history": history,
    }
    (folder / "outcome.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    _plot_behaviours(earned(play), folder / "behaviours.svg")
    _plot_emission(play, folder / "emission.svg")
    _plot_prices(play, folder / "prices.svg")


def _earned_row(row: Earned) -> str:
    return (
        f"| {row.behaviour} | {row.says} | {row.machines:,} | {row.emission:.2f} | {row.tenants:.2f} | "
        f"{row.slashed:.2f} | {row.net:.2f} | {row.beside_honest:.2f} | "
        f"{row.beside_untroubled:.2f} |"
    )


def _spread_row(row: Concentration) -> str:
    return f"| {row.of} | {row.gini:.2f} | {row.largest:.1%} | {row.third} |"


def _cost_row(name: str, cases: Sequence[Comparison]) -> str:
    ordered = sorted(case.excess for case in cases)
    return f"| {name} | {len(ordered)} | {ordered[len(ordered) // 2]:.1%} | {ordered[-1]:.1%} |"


def _outages(play: Play) -> list[str]:
    if not play.outages.all:
        return []
    return [
        "| lost at once | day | hours | part of the nodes | leases moved | minutes until all was settled | brake |",
        "|---|---:|---:|---:|---:|---:|---|",
        *(
            f"| {item.where} | {item.day:.0f} | {item.hours} | {item.part:.1%} | {item.moved:,} | {item.minutes:.1f} | "
            f"{'held' if item.braked else 'not set'} |"
            for item in play.outages.all
        ),
        "",
    ]


def _allowed(play: Play, record: EpochRecord) -> int:
    return rules.budget(int(play.economy.params.rewards.pool), int(record.day * 86_400))


def _plot_behaviours(rows: Sequence[Earned], path: Path) -> None:
    figure = Figure(figsize=(8, 0.45 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    names = [row.behaviour for row in reversed(rows)]
    values = [row.beside_untroubled for row in reversed(rows)]
    axes.barh(names, values, color=[INK if value <= 1.005 else OTHER for value in values])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("net income beside that of the same nodes if all were honest")
    save(figure, path)


def _plot_emission(play: Play, path: Path) -> None:
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    pool = int(play.economy.params.rewards.pool)
    days = [item.day for item in play.history]
    budget = [rules.budget(pool, int(day * 86_400)) / WEI_PER_FLUX / 1e6 for day in days]
    axes.plot(days, budget, color=OTHER, label="budget of the schedule")
    axes.plot(days, [item.emitted / WEI_PER_FLUX / 1e6 for item in play.history], color=INK, label="emitted")
    axes.set_xlabel("day")
    axes.set_ylabel("million FLUX")
    axes.legend()
    save(figure, path)


def _plot_prices(play: Play, path: Path) -> None:
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    days = [item.day for item in play.history]
    axes.plot(days, [item.price for item in play.history], color=OTHER, label="one FLUX in dollars (left)")
    axes.set_yscale("log")
    axes.set_xlabel("day")
    beside = axes.twinx()
    beside.plot(days, [item.running for item in play.history], color=INK, label="leases that run (right)")
    beside.set_ylim(bottom=0)
    for item in play.outages.all:
        axes.axvline(item.day, color="grey", linewidth=0.6, linestyle=":")
    figure.legend(loc="outside upper center", ncols=2)
    save(figure, path)
