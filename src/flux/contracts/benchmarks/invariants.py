"""What must hold of the benchmarks after every block."""

from flux.contracts.benchmarks.contract import Benchmarks


def check(benchmarks: Benchmarks) -> list[str]:
    """Violations as sentences."""
    problems = []
    for node, found in benchmarks.state.rounds.items():
        reporters = [report.reporter for report in found.reports]
        if found.node != node or not reporters:
            problems.append(f"the round of node {node} is empty or names node {found.node}")
        if len(set(reporters)) != len(reporters):
            problems.append(f"a member reported node {node} twice in epoch {found.epoch}")
        if node in reporters:
            problems.append(f"node {node} measured itself")
        if len(reporters) > benchmarks.params.committee:
            problems.append(f"{len(reporters)} members reported node {node}: more than a committee has")
    for node, known in benchmarks.state.benchmarks.items():
        if known.node != node:
            problems.append(f"the benchmark under node {node} names node {known.node}")
        if known.seats and 2 * known.reports <= known.seats:
            problems.append(f"node {node} was judged by {known.reports} of {known.seats} members")
    return problems
