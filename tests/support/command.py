"""The command line as people and scripts run it: a process of its own, whose words are kept."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended."""

    arguments: tuple[str, ...]
    code: int
    output: str
    errors: str

    @property
    def document(self) -> Any:
        """Its JSON document."""
        return json.loads(self.output)


async def run_command(*arguments: str, environment: Mapping[str, str], folder: Path | None = None) -> Finished:
    """Run `flux ARGUMENTS` to its end. Fails for a traceback, whatever the command was told."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flux.cli.main", *arguments,
        cwd=folder, env={**os.environ, **environment}, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        output, errors = await process.communicate()
        raise AssertionError(f"flux {arguments} went on after {SECONDS} s: {output!r} {errors!r}") from None
    assert process.returncode is not None
    finished = Finished(arguments, process.returncode, output.decode(), errors.decode())
    assert "Traceback" not in finished.output + finished.errors, finished
    return finished
