"""A chain as it is run for real: a process of its own, LMDB, every commit flushed to disk, JSON-RPC on a port."""

import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.machine import DATA_ROOT
from flux.protocol import genesis as genesis_file
from flux.protocol.genesis import Genesis
from flux.services.chain_home import GENESIS_FILE
from flux.services.ports import free_port

_START_SECONDS = 60.0


class ChainFailed(Exception):
    """The chain process ended or did not answer."""


class ChainProcess:
    """A running chain."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.port = port
        self._process = process
        self._system = psutil.Process(process.pid)
        self._log = log

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far."""
        times = self._system.cpu_times()
        return float(times.user + times.system)

    def wait_until_ready(self) -> None:
        """Until it answers. Raises ChainFailed."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ChainFailed(f"the chain did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def chain_home(genesis: Genesis) -> Iterator[Path]:
    """A folder on disk with a genesis, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="flux-bench-", dir=DATA_ROOT) as name:
        home = Path(name)
        (home / GENESIS_FILE).write_text(genesis_file.encode(genesis))
        yield home


@contextmanager
def running_chain(home: Path) -> Iterator[ChainProcess]:
    """The chain of a folder while the context lasts."""
    port = free_port()
    log = home / "log"
    arguments = ["chain", "start", "--data", str(home), "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "flux.cli.main", *arguments], stdout=output, stderr=output)
    try:
        chain = ChainProcess(port, process, log)
        chain.wait_until_ready()
        yield chain
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
