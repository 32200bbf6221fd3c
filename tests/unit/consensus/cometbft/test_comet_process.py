"""CometBFT's log, which its peers write a part of."""

import asyncio
import sys
from pathlib import Path

import pytest
import structlog

from flux.consensus.cometbft import process
from flux.consensus.cometbft.process import CometProcess


async def test_a_line_that_is_too_long_is_left_out_and_the_program_lives_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CometBFT prints messages that it refused, so that a peer could end a node by the size of one."""
    monkeypatch.setattr(process, "_LINE_LIMIT", 1_000)
    program = tmp_path / "cometbft"
    talk = "import time; print('x' * 5_000); print('said after it', flush=True); time.sleep(600)"
    program.write_text(f"#!{sys.executable}\n{talk}\n")
    program.chmod(0o700)
    heard: asyncio.Queue[str] = asyncio.Queue()
    comet = CometProcess(program, tmp_path, heard.put_nowait)
    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(comet.run())
        async with asyncio.timeout(20):
            while "said after it" not in await heard.get():
                assert comet.pid is not None
            assert comet.pid is not None
            await comet.stop()
            await running
    assert [entry["event"] for entry in logs].count("cometbft started") == 1
    assert any("too long" in entry["event"] for entry in logs)
