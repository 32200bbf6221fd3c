"""Validators that do wrong, are slow, or have wrong clocks: the others go on, and nothing wrong is in a block."""

from pathlib import Path

import pytest

from flux.primitives.hexadecimal import to_hex
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from support.validator_child import BAD_ACCOUNT
from support.validator_processes import PATIENCE, Traffic, network
from support.waiting import until

pytestmark = pytest.mark.e2e


async def test_bad_proposals_are_rejected_and_slow_applications_and_wrong_clocks_stop_nothing(tmp_path: Path) -> None:
    options = {0: ("--byzantine",), 1: ("--slow", "10"), 2: ("--skew", "5"), 3: ("--skew", "-5")}
    async with network(tmp_path, options=options) as four:
        honest = four.validators[1:]
        traffic = Traffic(four, accounts=(0, 1), burst=5)

        async def all_kinds_were_rejected() -> bool:
            return all(log.read_text(errors="replace").count("proposal rejected") >= 8 for log in logs)

        logs = [validator.log for validator in honest]
        async with traffic.running():
            await four.until_higher(4)
            await until(all_kinds_were_rejected, PATIENCE, four.tails, poll=0.1)
        await traffic.check_nothing_was_lost_or_done_twice()
        height = await four.check_one_history()
        bad = to_hex(development_key(BAD_ACCOUNT, LOCAL_CHAIN_ID).address)
        for validator in honest:
            assert await validator.transport.request("eth_getTransactionCount", bad, "latest") == "0x0"
        times = [int((await honest[0].block(number) or {})["timestamp"], 16) for number in range(1, height + 1)]
        assert times == sorted(times)
        reasons = logs[0].read_text(errors="replace")
        for words in ("nonce too high", "exceeds block gas limit", "insufficient funds", "type 103", "max fee per gas"):
            assert words in reasons, words
