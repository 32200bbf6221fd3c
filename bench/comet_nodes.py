"""Networks to be measured: our validators as they are run for real, and CometBFT with applications that do nothing."""

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import psutil

from bench.accounts import make_genesis
from bench.machine import DATA_ROOT
from flux.consensus.cometbft.config import ABCI_SOCKET, NodeSettings, Timing, config_text
from flux.consensus.cometbft.genesis import MAX_BUNDLE_BYTES, comet_genesis
from flux.consensus.cometbft.process import find_program
from flux.protocol.genesis import Genesis
from flux.services.chain_home import ChainHome, find_settings, make_node
from flux.services.local_validators import ValidatorPlace, first_validators, make_validators
from flux.services.ports import free_port
from flux.wallet.local_key import LocalKey

TIMING = Timing()
_START_SECONDS = 120.0
_STOP_SECONDS = 20.0


class NetworkFailed(Exception):
    """A process ended or did not answer."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes of a network have used so far."""

    application: float
    comet: float
    """CPU seconds, over all validators."""
    application_memory: float
    comet_memory: float
    """MiB of one validator, the largest."""


@dataclass(slots=True)
class Nodes:
    """A running network."""

    rpc: list[int]
    """Ports that the load goes to: our RPC, or CometBFT's own."""
    comet_rpc: list[int]
    applications: list[psutil.Process]
    """Empty where the application is built into CometBFT."""
    comets: list[psutil.Process]

    def usage(self) -> Usage:
        """Now."""
        return Usage(
            sum(map(_cpu, self.applications)),
            sum(map(_cpu, self.comets)),
            max(map(_memory, self.applications), default=0.0),
            max(map(_memory, self.comets)),
        )


@contextmanager
def our_validators(count: int, keys: Sequence[LocalKey]) -> Iterator[Nodes]:
    """`flux chain start`, `count` times, on a chain where the keys hold FLUX."""
    with _homes(count) as places, ExitStack() as stack:
        genesis = _genesis(places, keys)
        make_validators(places, genesis=genesis, timing=TIMING)
        ports, processes = [free_port() for _ in places], []
        for place, port in zip(places, ports, strict=True):
            command = [sys.executable, "-m", "flux.cli.main", "chain", "start", "--snapshots", "0"]
            command += ["--data", str(place.home), "--port", str(port)]
            processes.append(_start(stack, command, place.home))
        comet_rpc = [place.comet_port for place in places]
        _wait(comet_rpc)
        applications = [psutil.Process(process.pid) for process in processes]
        comets = [child for process in applications for child in process.children() if child.name() == "cometbft"]
        yield Nodes(ports, comet_rpc, applications, comets)


@contextmanager
def plain_comet(count: int, application: str) -> Iterator[Nodes]:
    """CometBFT by itself: `kvstore` built in, or `bridge`, our socket server with an application that does nothing."""
    program = find_program()
    with _homes(count) as places, ExitStack() as stack:
        genesis = _genesis(places, ())
        make_validators(places, genesis=genesis, timing=TIMING)
        applications, comets = [], []
        for place in places:
            home = ChainHome(place.home).comet
            settings = find_settings(place.home)
            assert settings is not None
            (home / "config" / "genesis.json").write_text(comet_genesis(genesis), encoding="utf-8")
            (home / "config" / "config.toml").write_text(_flood(settings, application), encoding="utf-8")
            if application != "kvstore":
                command = [sys.executable, "-m", "bench.comet_noop", str(home / ABCI_SOCKET)]
                applications.append(psutil.Process(_start(stack, command, place.home).pid))
                while not (home / ABCI_SOCKET).exists():
                    time.sleep(0.05)
            command = [str(program), "start", "--home", str(home)]
            comets.append(psutil.Process(_start(stack, command, home, log=place.home / "comet.log").pid))
        ports = [place.comet_port for place in places]
        _wait(ports)
        yield Nodes(ports, ports, applications, comets)


def ask_comet(port: int, path: str) -> Any:
    """The result of one of CometBFT's GET requests."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=20) as answer:
        return msgspec.json.decode(answer.read())["result"]


def _flood(settings: NodeSettings, application: str) -> str:
    """The same configuration with CometBFT's own mempool, which these applications need, and room for the load."""
    text = config_text(settings, MAX_BUNDLE_BYTES).replace(
        'type = "app"', 'type = "flood"\nsize = 100000\ncache_size = 200000'
    )
    text = re.sub(r"(?m)^\[rpc\]$", "[rpc]\nmax_request_batch_size = 1000", text)
    return text.replace(f'"unix://{ABCI_SOCKET}"', '"kvstore"') if application == "kvstore" else text


@contextmanager
def _homes(count: int) -> Iterator[list[ValidatorPlace]]:
    with TemporaryDirectory(prefix="flux-bench-", dir=DATA_ROOT) as name:
        yield [ValidatorPlace(Path(name) / str(index), free_port(), free_port()) for index in range(count)]


def _genesis(places: Sequence[ValidatorPlace], keys: Sequence[LocalKey]) -> Genesis:
    made = [make_node(place.home, NodeSettings(p2p_port=1, rpc_port=2)).consensus for place in places]
    return make_genesis(keys, int(time.time()), validators=first_validators(made))


def _start(
    stack: ExitStack, command: Sequence[str], folder: Path, log: Path | None = None
) -> "subprocess.Popen[bytes]":
    root = Path(__file__).parents[1]
    with (log or folder / "log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder if log else root)
    stack.callback(_stop, process)
    return process


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(ports: Sequence[int]) -> None:
    """Until every node has made its first blocks."""
    deadline = time.monotonic() + _START_SECONDS
    for port in ports:
        while True:
            try:
                if int(ask_comet(port, "status")["sync_info"]["latest_block_height"]) >= 3:
                    break
            except (urllib.error.URLError, OSError, KeyError):
                pass
            if time.monotonic() > deadline:
                raise NetworkFailed(f"the node at port {port} made no blocks")
            time.sleep(0.1)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _memory(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 2**20)
