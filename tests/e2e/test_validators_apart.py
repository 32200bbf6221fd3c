"""Networks that fall apart and come together again: one history, whoever was in the majority. Hosts are namespaces."""

import asyncio
from pathlib import Path

import pytest

from flux.primitives.hexadecimal import to_hex
from flux.services.local_validators import ValidatorPlace, make_validators
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from support.namespaces import switched_hosts
from support.transactions import signed
from support.validator_processes import QUICK, Validator, started

pytestmark = pytest.mark.e2e


def transfer(account: int, nonce: int) -> str:
    return to_hex(signed(development_key(account, LOCAL_CHAIN_ID).private_key, nonce=nonce, maxFeePerGas=10**12))


@pytest.mark.parametrize("seconds", [4, pytest.param(30, marks=pytest.mark.slow)])
async def test_halves_wait_for_each_other_and_a_lonely_one_catches_up(tmp_path: Path, seconds: int) -> None:
    with switched_hosts(4) as switch:
        places = [
            ValidatorPlace(tmp_path / str(number), 26656, 26657, host.address)
            for number, host in enumerate(switch.hosts)
        ]
        make_validators(places, timing=QUICK)
        validators = [
            Validator(number, place, host.line, 8545, before=host.inside)
            for number, (place, host) in enumerate(zip(places, switch.hosts, strict=True))
        ]
        async with started(validators) as four:
            sent = [await four.validators[0].transport.request("eth_sendRawTransaction", transfer(0, 0))]

            # 2 | 2: neither half may go on alone; both take transactions.
            switch.cut_trunk()
            stuck = max(await four.heights()) + 1
            for number in (0, 3):
                raw = transfer(1 + number, 0)
                sent.append(await four.validators[number].transport.request("eth_sendRawTransaction", raw))
            await asyncio.sleep(seconds)  # the partition lasts
            assert max(await four.heights()) <= stuck
            switch.join_trunk()
            await four.until_height(stuck + 1)
            await four.check_one_history()

            # 3 | 1: the three go on, the one stands still and takes up what it missed.
            switch.unplug(3)
            await asyncio.sleep(seconds / 2)  # it lasts
            left = await four.validators[3].height()
            await four.until_height(left + 4, four.validators[:3])
            assert await four.validators[3].height() <= left + 1
            await asyncio.sleep(seconds / 2)  # it lasts
            switch.plug(3)
            await four.until_higher()
            await four.check_one_history()
            for transaction in sent:
                receipts = [
                    await validator.transport.request("eth_getTransactionReceipt", transaction)
                    for validator in validators
                ]
                assert all(receipts)
                assert len({receipt["blockHash"] for receipt in receipts}) == 1
