"""The engine around a `cometbft` that dies, cannot start, or stops agreeing with itself."""

import os
import signal
import socket
import sys
from pathlib import Path

import pytest
import structlog

from flux.consensus.cometbft import bridge, engine, process
from flux.consensus.cometbft.engine import CometEngine
from flux.consensus.cometbft.errors import CometError, CometMissing, ConsensusFailure
from flux.consensus.cometbft.messages.tendermint.abci import types_pb2 as abci
from support import engine_lab as engine_lab_module
from support.engine_lab import engine_lab, raw_transfer

pytestmark = pytest.mark.e2e


async def test_a_cometbft_that_was_killed_is_started_again_and_the_chain_goes_on(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        async with engine_lab("cometbft", tmp_path) as lab:
            assert isinstance(lab.engine, CometEngine)
            await lab.until(lambda: lab.height >= 2)
            first = lab.engine.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await lab.until(lambda: lab.engine.pid not in (None, first))
            await lab.included(lab.submit(raw_transfer(0, 0)))
    assert [entry["event"] for entry in logs].count("cometbft started") == 2


async def test_a_consensus_failure_after_which_no_block_comes_ends_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CometBFT says so in its log and lives on, answering its RPC; only the height tells."""
    monkeypatch.setattr(engine, "_STANDSTILL", 1.0)
    monkeypatch.setattr(bridge, "results_of", lambda raws, finalized: [abci.ExecTxResult()] * (len(raws) + 1))
    async with engine_lab("cometbft", tmp_path) as lab:
        with pytest.raises(ConsensusFailure, match="block 0 is the last"):
            await lab.engine.wait()


async def test_an_application_that_cannot_go_on_ends_the_engine_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug in the application")

    monkeypatch.setattr(bridge, "results_of", broken)
    async with engine_lab("cometbft", tmp_path) as lab:
        with pytest.raises(RuntimeError, match="a bug in the application"):
            await lab.engine.wait()


async def test_a_cometbft_that_cannot_start_is_given_up_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_SHORT_LIVES", 2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(engine_lab_module, "free_port", lambda: taken.getsockname()[1] if next(ports) else other)
        ports, other = iter((1, 0)), _free_port()
        async with engine_lab("cometbft", tmp_path) as lab:
            with pytest.raises(CometError, match=r"address already in use|use of closed network connection"):
                await lab.engine.wait()


def test_a_missing_program_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    with pytest.raises(CometMissing, match="make cometbft"):
        process.find_program()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
