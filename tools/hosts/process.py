"""`flux …` processes of a lab: each in a place of the network, with a log of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from flux.services.processes import PROGRAM, ChildProcess
from tools.errors import ToolError
from tools.hosts.network import Place

_LIBRARIES = Path("/usr/lib")
_CLOCK = "*/faketime/libfaketimeMT.so.1"
"""Preloaded, it adds to a process's wall clock what a file says."""


def start_in(
    place: Place, name: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> ChildProcess:
    """Start `flux ARGUMENTS` in a place, in a session of its own."""
    log.parent.mkdir(parents=True, exist_ok=True)
    command = place.namespace.command(sys.executable, "-m", PROGRAM, *arguments)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    return ChildProcess(name, process, log)


def clock_of(file: Path) -> Mapping[str, str]:
    """Environment of a process whose wall clock is off by what `file` says (`set_clock`); its other clocks are not."""
    clock = next(_LIBRARIES.glob(_CLOCK), None)
    if clock is None:
        raise ToolError("libfaketime is not installed: apt-get install faketime")
    return {
        "LD_PRELOAD": str(clock),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
        "FAKE_STAT": "0",
    }


def set_clock(file: Path, seconds: int) -> None:
    """Let the clock be off by so many seconds from now on."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(f"{seconds:+d}\n", encoding="ascii")
    new.rename(file)
