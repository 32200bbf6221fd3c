"""Measuring this machine: every number is there, within bounds of time and space, and nothing is left behind."""

from pathlib import Path

import pytest

from flux.agent.hardware import gpu
from flux.agent.hardware.benchmark import Benchmark, TierThresholds, judge
from flux.agent.hardware.cpu import CpuResult, measure_cpu
from flux.agent.hardware.disk import DiskResult, measure_disk
from flux.agent.hardware.memory import MemoryResult, fill_memory, measure_memory
from flux.contracts.nodes.types import Architecture, Hardware
from flux.primitives.types import U8, U32


def test_the_processor_does_events() -> None:
    measured = measure_cpu(0.1)
    assert measured.cores >= 1
    assert 0 < measured.single < 100_000
    assert measured.all_cores > 0


def test_memory_is_counted_and_copied() -> None:
    measured = measure_memory(0.05, copied_mib=8)
    assert 0 < measured.available_mib <= measured.total_mib
    assert measured.copy_mib_per_second > 10


def test_memory_hard_tasks_differ_by_seed_and_number() -> None:
    answers = {fill_memory(seed, index, 1) for seed in (bytes(32), b"\x01" * 32) for index in (0, 1)}
    assert len(answers) == 4
    assert fill_memory(bytes(32), 0, 1) in answers


def test_the_disk_is_measured_and_left_as_it_was(tmp_path: Path) -> None:
    measured = measure_disk(tmp_path / "new", size_mib=4, seconds=1)
    assert measured.write_mib_per_second > 0.1
    assert measured.read_mib_per_second > 0.1
    assert measured.read_latency_us > 0
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        measure_disk(tmp_path / "file")


def test_a_machine_without_a_driver_has_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver() -> None:
        raise gpu.pynvml.NVMLError(gpu.pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(gpu.pynvml, "nvmlInit", no_driver)
    assert gpu.measure_gpus() == []


def test_a_gpu_without_cuda_has_a_model_and_memory_but_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Place:
        busId = "00000000:01:00.0"

    class Memory:
        total = 24 * 1024**3

    for name, value in {
        "nvmlInit": lambda: None, "nvmlShutdown": lambda: None, "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index, "nvmlDeviceGetName": lambda handle: "RTX",
        "nvmlDeviceGetMemoryInfo": lambda handle: Memory, "nvmlDeviceGetPciInfo": lambda handle: Place,
    }.items():  # fmt: skip
        monkeypatch.setattr(gpu.pynvml, name, value)

    def no_library(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(gpu.ctypes, "CDLL", no_library)
    assert gpu.measure_gpus() == [gpu.GpuResult("RTX", 24 * 1024, None)]


LOW = TierThresholds("Cumulus", 4_000, 7_168, 220_000, 240, 172, 25)
HIGH = TierThresholds("Nimbus", 8_000, 30_720, 440_000, 640, 172, 50)


def a_benchmark(network: float | None = 30.0, *, cores: int = 4, written: float = 500.0) -> Benchmark:
    return Benchmark(
        Hardware(U32(cores * 1000), U32(8_000), U32(300_000), Architecture.AMD64, U8(0), ""),
        CpuResult(cores, 80.0, 300.0),
        MemoryResult(8_500, 8_000, 5_000.0),
        DiskResult(written, 600.0, 90.0, direct=True),
        (),
        network,
    )


def test_a_tier_is_reached_or_every_reason_against_it_is_named() -> None:
    low, high = judge(a_benchmark(), [LOW, HIGH])
    assert low.shortfalls == ()
    assert "CPU: 300 events/s, needs 640 events/s" in high.shortfalls
    assert "network: 30 Mbit/s, needs 50 Mbit/s" in high.shortfalls
    assert len(high.shortfalls) == 5


def test_a_network_that_was_not_measured_is_not_held_against_the_machine() -> None:
    assert judge(a_benchmark(None), [LOW])[0].shortfalls == ()


def test_slow_writing_alone_keeps_a_machine_out() -> None:
    assert judge(a_benchmark(written=100.5), [LOW])[0].shortfalls == ("disk writing: 100.5 MiB/s, needs 172 MiB/s",)
