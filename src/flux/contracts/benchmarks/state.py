"""Storage of the benchmarks contract."""

from flux.contracts.benchmarks.types import Benchmark, Round
from flux.contracts.nodes.types import NodeId
from flux.kernel.storage import Map, State


class BenchmarksState(State):
    """Collections by prefix."""

    rounds = Map(b"\x01", NodeId, Round)
    """Open ones; each is settled when its epoch ends."""
    benchmarks = Map(b"\x02", NodeId, Benchmark)
    """One per node: reports cost no fee, so what they leave behind must not add up."""
