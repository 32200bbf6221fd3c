"""Placement decisions per second: the engine alone, as a table."""

from bench import placement
from bench.measurement import Goal, Measurement, Report, Section

METHOD = (
    f"The placement engine in one process and thread, without chain: {placement.NODES:,} nodes, {placement.REQUESTS:,} "
    f"instances in blocks of up to {placement.BLOCK:,} (a new seed and a new search per block, their cost counted), "
    "distinct specs, capacity consumed by each decision; per second of processor time. One app is "
    "placed before, as a chain remembers the order of asks. Tests compare every decision with a naive search."
)


def run(report: Report) -> Section:
    """Every scenario."""
    measurements = []
    for scenario in placement.SCENARIOS:
        report(f"placement: {scenario.name}")
        rates = [placement.measure(scenario, seed)[0] for seed in range(placement.ROUNDS)]
        measurements.append(
            Measurement(
                what=scenario.name,
                unit="decisions/s",
                values=tuple(rates),
                goal=Goal(20_000),
                reference="one int64 pass over 10,000 nodes: 16 µs",
            )
        )
    return Section(title="Placement decisions", method=METHOD, measurements=tuple(measurements))
