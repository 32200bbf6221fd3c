"""What a benchmark gives back: values with their unit, beside the goal and what others reach."""

import statistics
from collections.abc import Callable

import msgspec

Report = Callable[[str], None]
"""Takes a line of progress."""


class Goal(msgspec.Struct, frozen=True):
    """A bound that the median should keep."""

    bound: float
    at_least: bool = True
    """False: the median should be at most the bound."""

    def is_reached(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        return value >= self.bound if self.at_least else value <= self.bound


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One thing measured, once per run."""

    what: str
    unit: str
    values: tuple[float, ...]
    """One per run, in the order of the runs."""
    goal: Goal | None = None
    reference: str = ""
    """What others reach, and where."""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def lowest(self) -> float:
        return min(self.values)

    @property
    def highest(self) -> float:
        return max(self.values)

    @property
    def is_reached(self) -> bool | None:
        """Whether the median reaches the goal; None without a goal."""
        return None if self.goal is None else self.goal.is_reached(self.median)


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one benchmark."""

    title: str
    method: str
    """How it was measured: what is counted, clients and processes, sizes, what lies outside of the measured time."""
    measurements: tuple[Measurement, ...]
    measured_at: str = ""
    """UTC, to the minute."""


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    disk: str
    """File system that the databases lay on."""
    load: float
    """Load average of the minute before the measurement: how much else was going on."""


class Results(msgspec.Struct, frozen=True):
    """The file `results.json`."""

    machine: Machine
    sections: dict[str, Section]
