"""Child processes and what a cloud writes down of them."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flux.services.cloud_state import CloudState, find_state, supervision, this_process, write_state
from flux.services.errors import CloudFailed, CloudRunning, PortTaken
from flux.services.home import CloudHome, FluxHome
from flux.services.ports import check_free, free_port, is_free
from flux.services.processes import ChildProcess, ProcessRecord, end, last_line, start
from flux.services.signals import run_until_signal

SLEEPER = "import sys, time; print('ready', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"


def spawn(tmp_path: Path, code: str) -> ChildProcess:
    log = tmp_path / "child.log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=output, stderr=output)
    child = ChildProcess("child", process, log)
    while code.endswith(SLEEPER) and "ready" not in log.read_text():
        os.sched_yield()
    return child


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[ChildProcess]:
    child = spawn(tmp_path, SLEEPER)
    yield child
    if child.exit_code is None:
        os.kill(child.pid, signal.SIGKILL)
        asyncio.run(child.wait())


async def test_a_child_is_stopped_politely(sleeper: ChildProcess) -> None:
    await sleeper.stop(10)
    assert sleeper.exit_code == -signal.SIGTERM
    with pytest.raises(CloudFailed, match="child ended with signal 15: ready"):
        sleeper.check()


async def test_a_child_that_lingers_is_killed(tmp_path: Path) -> None:
    child = spawn(tmp_path, STUBBORN)
    await child.stop(0.1)
    assert child.exit_code == -signal.SIGKILL


async def test_a_record_knows_its_process_and_no_stranger_with_its_id(sleeper: ChildProcess) -> None:
    record = sleeper.record
    assert record.is_alive
    stranger = ProcessRecord(record.name, record.pid, record.started - 100, record.log)
    assert not stranger.is_alive
    await end(stranger, 1)
    assert record.is_alive
    reaper = asyncio.create_task(sleeper.wait())
    await end(record, 10)
    assert await reaper == -signal.SIGTERM
    assert not record.is_alive


async def test_a_command_of_ours_runs_in_a_session_of_its_own_and_leaves_its_words(tmp_path: Path) -> None:
    child = start("version", ["--version"], {}, tmp_path / "logs" / "version.log")
    assert os.getsid(child.pid) == child.pid
    assert await child.wait() == 0
    assert last_line(child.log).startswith("flux ")


def test_the_last_words_are_the_error_if_there_is_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) == "it left no log"
    log.write_text("")
    assert last_line(log) == "it said nothing"
    log.write_text("begin\nerror: the disk is full\n  → make room\n")
    assert last_line(log) == "the disk is full"


def make_state(pid: int = 1) -> CloudState:
    record = ProcessRecord("chain", pid, 12.5, "/log")
    return CloudState(record, "http://127.0.0.1:8545", 8080, None, (record,), (1, 2), ready=True)


def test_the_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    home = CloudHome(tmp_path)
    assert find_state(home) is None
    write_state(home, make_state())
    assert find_state(home) == make_state()
    assert not make_state().is_supervised
    home.state.write_text("{half")
    assert find_state(home) is None


def test_this_process_supervises_while_it_lives(tmp_path: Path) -> None:
    record = this_process(tmp_path / "log")
    assert record.is_alive
    assert record.pid == psutil.Process().pid


def test_only_one_may_supervise_a_home(tmp_path: Path) -> None:
    home = FluxHome(tmp_path).cloud
    with supervision(home), pytest.raises(CloudRunning, match="runs already"), supervision(home):
        raise AssertionError("two supervisors")
    with supervision(home):
        assert home.lock.exists()


def test_a_taken_port_is_named_with_the_option_that_changes_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        with pytest.raises(PortTaken, match=f"port {port} is taken") as caught:
            check_free("127.0.0.1", [(free_port(), "--rpc-port"), (port, "--http-port")])
    assert caught.value.hint == "choose another with --http-port"
    assert is_free("127.0.0.1", port)


async def test_a_signal_ends_a_service_after_its_clean_up() -> None:
    steps: list[str] = []

    async def service() -> None:
        steps.append("started")
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            steps.append("cleaned up")

    await run_until_signal(service())
    assert steps == ["started", "cleaned up"]


async def test_what_a_service_raises_is_raised() -> None:
    async def service() -> None:
        raise CloudFailed("the chain has ended")

    with pytest.raises(CloudFailed):
        await run_until_signal(service())
