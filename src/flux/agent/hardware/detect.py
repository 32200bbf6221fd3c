"""Reads cores, memory, disk and GPUs of this machine, less what the system keeps for itself."""

import platform
import shutil
from pathlib import Path

import psutil

from flux.contracts.nodes.types import Architecture, Hardware
from flux.primitives.types import U8, U32

MIB = 1024 * 1024
RESERVED_CPU_MILLI = 500
RESERVED_MEMORY_MIB = 512
RESERVED_DISK_MIB = 4096
"""What agent, engine and system need themselves."""
_ARCHITECTURES = {
    "x86_64": Architecture.AMD64,
    "amd64": Architecture.AMD64,
    "aarch64": Architecture.ARM64,
    "arm64": Architecture.ARM64,
}


class UnsupportedMachine(Exception):
    """Flux has no images for this processor."""


def detect(data: Path) -> Hardware:
    """The machine's hardware as it can be offered; `data` is a path on the disk that holds containers.

    Raises UnsupportedMachine for a processor that is neither amd64 nor arm64.
    """
    architecture = _ARCHITECTURES.get(platform.machine().lower())
    if architecture is None:
        raise UnsupportedMachine(f"processor {platform.machine()} is neither amd64 nor arm64")
    cores = psutil.cpu_count(logical=True) or 1
    model, count = _gpus()
    return Hardware(
        cpu_milli=U32(max(cores * 1000 - RESERVED_CPU_MILLI, 100)),
        memory_mib=U32(max(psutil.virtual_memory().total // MIB - RESERVED_MEMORY_MIB, 0)),
        disk_mib=U32(max(shutil.disk_usage(data).free // MIB - RESERVED_DISK_MIB, 0)),
        architecture=architecture,
        gpu_count=U8(count),
        gpu_model=model,
    )


def _gpus() -> tuple[str, int]:
    """Model and number of NVIDIA GPUs, as the driver's files name them; nothing without a driver."""
    names = []
    for card in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in card.read_text().splitlines():
            label, _, value = line.partition(":")
            if label == "Model":
                names.append(value.strip())
    if not names:
        return "", 0
    return names[0], sum(name == names[0] for name in names)
