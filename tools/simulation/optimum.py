"""What the chain's choices cost beside the best possible ones, on cases small enough for an exact solver.

The chain decides instance by instance, in the order in which they came; the solver sees all at once and minimises the
sum of all rates, under the same capacities and with no two instances of an app on one node. It may ignore spreading
over operators, networks and countries, so what the chain pays more is the price of spreading and of not knowing what
comes next. The program is a generalised assignment problem, solved by HiGHS through SciPy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

Resources = tuple[int, int, int]
"""Milli-cores, MiB of memory, MiB of disk."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One app: so many instances, each with the same needs, and what a node would charge for one."""

    instances: int
    needs: Resources
    rates: Mapping[int, int]
    """Rate per node that could run it, wei per second."""


class NoAssignment(Exception):
    """Not everything can be placed at once, so there is no cost to compare with."""


def least_cost(capacities: Mapping[int, Resources], demands: Sequence[Demand]) -> int:
    """The smallest sum of rates that places everything, wei per second. Raises NoAssignment."""
    choices = [(app, node) for app, demand in enumerate(demands) for node in sorted(demand.rates)]
    scale = max((max(demand.rates.values(), default=1) for demand in demands), default=1)
    costs = np.array([demands[app].rates[node] / scale for app, node in choices])
    rows, lower, upper = [], [], []
    for app, demand in enumerate(demands):
        rows.append([1.0 if choice[0] == app else 0.0 for choice in choices])
        lower.append(float(demand.instances))
        upper.append(float(demand.instances))
    for node, capacity in sorted(capacities.items()):
        for kind, room in enumerate(capacity):
            rows.append([float(demands[app].needs[kind]) if at == node else 0.0 for app, at in choices])
            lower.append(0.0)
            upper.append(float(room))
    found = milp(
        costs,
        integrality=np.ones(len(choices)),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(np.array(rows), lower, upper),
    )
    if found.x is None:
        raise NoAssignment(found.message)
    return sum(demands[app].rates[node] for (app, node), taken in zip(choices, found.x, strict=True) if taken > 0.5)
