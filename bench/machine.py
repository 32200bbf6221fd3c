"""The machine that measurements are taken on."""

import os
import platform
from pathlib import Path

import cpuinfo
import psutil

from bench.measurement import Machine

DATA_ROOT = Path("/var/tmp")
"""Where benchmarks keep databases: a disk on every usual system, while /tmp may be memory."""


def describe() -> Machine:
    """This machine, now."""
    return Machine(
        processor=str(cpuinfo.get_cpu_info().get("brand_raw", platform.machine())),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        disk=_file_system(DATA_ROOT),
        load=round(os.getloadavg()[0], 1),
    )


def _file_system(path: Path) -> str:
    """Type of the file system with the longest mount point above the path."""
    above = [part for part in psutil.disk_partitions(all=True) if path.is_relative_to(part.mountpoint)]
    return max(above, key=lambda part: len(part.mountpoint)).fstype if above else "unknown"
