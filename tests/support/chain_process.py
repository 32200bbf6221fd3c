"""A chain as users run it: `flux chain start` in a process of its own, with its data in a folder."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flux.services.ports import free_port

_PATIENCE = 60.0
_POLL = 0.02


@contextmanager
def chain_process(folder: Path) -> Iterator[str]:
    """The URL of a running local chain; it is stopped at the end and must end well."""
    port = free_port()
    command = [sys.executable, "-m", "flux.cli.main", "chain", "start", "--data", str(folder), "--port", str(port)]
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_healthy(url, process, log)
            yield url
        finally:
            process.terminate()
            status = process.wait(_PATIENCE)
        assert status in (0, -15, 143), log.read_text()


def _wait_until_healthy(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not _is_healthy(url):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(_POLL)


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
