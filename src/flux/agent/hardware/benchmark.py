"""Everything that can be measured of this machine, and which tier it reaches and why not a higher one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flux.agent.hardware.cpu import CpuResult, measure_cpu
from flux.agent.hardware.detect import detect
from flux.agent.hardware.disk import DiskResult, measure_disk
from flux.agent.hardware.gpu import GpuResult, measure_gpus
from flux.agent.hardware.memory import MemoryResult, measure_memory
from flux.contracts.nodes.types import Hardware

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What was measured. Rates of the network are by the fastest peer; None when no peer answered."""

    offered: Hardware
    """What of it can be offered to apps: the rest is the system's own."""
    cpu: CpuResult
    memory: MemoryResult
    disk: DiskResult
    gpus: tuple[GpuResult, ...]
    network_mbit_per_second: float | None


@dataclass(frozen=True, slots=True)
class TierThresholds:
    """What a tier asks of a machine."""

    name: str
    cpu_milli: int
    memory_mib: int
    disk_mib: int
    cpu_events: int
    """A second, all cores."""
    disk_mib_per_second: int
    network_mbit_per_second: int


@dataclass(frozen=True, slots=True)
class TierJudgement:
    """Whether a machine reaches a tier."""

    name: str
    shortfalls: tuple[str, ...]
    """What is missing, as sentences; empty when the tier is reached."""


def measure(folder: Path, report: Report, network: float | None) -> Benchmark:
    """Measure for about ten seconds; `folder` lies on the disk that holds containers. Raises OSError."""
    report("measuring the processor")
    cpu = measure_cpu()
    report("measuring the memory")
    memory = measure_memory()
    report("measuring the disk")
    disk = measure_disk(folder)
    report("looking for GPUs")
    return Benchmark(detect(folder), cpu, memory, disk, tuple(measure_gpus()), network)


def judge(measured: Benchmark, tiers: Sequence[TierThresholds]) -> list[TierJudgement]:
    """One judgement per tier. A network that was not measured is not held against the machine."""
    return [TierJudgement(tier.name, tuple(_shortfalls(measured, tier))) for tier in tiers]


def _shortfalls(measured: Benchmark, tier: TierThresholds) -> list[str]:
    offered = measured.offered
    network = measured.network_mbit_per_second
    compared: list[tuple[str, float, float, str]] = [
        ("cores offered", offered.cpu_milli / 1000, tier.cpu_milli / 1000, ""),
        ("memory offered", offered.memory_mib, tier.memory_mib, " MiB"),
        ("disk offered", offered.disk_mib, tier.disk_mib, " MiB"),
        ("CPU", measured.cpu.all_cores, tier.cpu_events, " events/s"),
        ("disk writing", measured.disk.write_mib_per_second, tier.disk_mib_per_second, " MiB/s"),
        ("disk reading", measured.disk.read_mib_per_second, tier.disk_mib_per_second, " MiB/s"),
    ]
    if network is not None:
        compared.append(("network", network, tier.network_mbit_per_second, " Mbit/s"))
    return [
        f"{name}: {has:,.1f}{unit}, needs {needs:,.1f}{unit}".replace(".0", "")
        for name, has, needs, unit in compared
        if has < needs
    ]
