"""What every consensus engine promises to a chain and its clients."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flux.chain.application import Application
from flux.chain.export import export_chain, import_chain
from flux.chain.system_transaction import is_system
from flux.database.memory_store import MemoryStore
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.registry import ProtocolFactory
from support.engine_lab import PRODUCER, STRANGER, EngineLab, engine_lab, raw_transfer

KINDS = ("solo", "cometbft")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def chain(kind: str, tmp_path: Path) -> AsyncIterator[EngineLab]:
    async with engine_lab(kind, tmp_path) as lab:
        yield lab


def replayed_hash(lab: EngineLab) -> bytes:
    """Of the newest block, when everything is executed again in memory."""
    factory = ProtocolFactory(lab.genesis.params)
    other = Application(MemoryStore(), factory, chain_genesis(lab.genesis, factory))
    import_chain(other, export_chain(lab.application.ledger))
    return other.ledger.head().hash


async def test_it_says_its_name(chain: EngineLab, kind: str) -> None:
    assert chain.engine.name == kind


async def test_transfers_are_included_in_order_paid_for_and_tipped_to_the_producer(chain: EngineLab) -> None:
    before = chain.balance(PRODUCER)
    hashes = [chain.submit(raw_transfer(account, nonce, value=7)) for nonce in range(5) for account in range(3)]
    for transaction in hashes:
        await chain.included(transaction)
    assert chain.balance(STRANGER) == 15 * 7
    assert chain.balance(PRODUCER) == before + 15 * 21_000 * 10**9
    places = [chain.application.ledger.find_receipt(transaction) for transaction in hashes]
    positions = [(place.header.number, place.transaction_index) for place in places if place is not None]
    for account in range(3):
        assert positions[account::3] == sorted(positions[account::3])
    assert all(place is not None and place.receipt.succeeded for place in places)


async def test_a_gap_in_the_nonces_waits_for_what_fills_it(chain: EngineLab) -> None:
    late = chain.submit(raw_transfer(1, 1))
    other = chain.submit(raw_transfer(2, 0))
    await chain.included(other)
    assert chain.application.find_pending(late) is not None
    chain.submit(raw_transfer(1, 0))
    await chain.included(late)


async def test_an_idle_chain_goes_on_and_every_block_ends_with_the_system_transaction(chain: EngineLab) -> None:
    height = chain.height
    await chain.until(lambda: chain.height >= height + 3)
    block = chain.application.ledger.head()
    assert is_system(block.transactions[-1])
    parent = chain.application.ledger.find_block(block.number - 1)
    assert parent is not None
    assert block.header.parent_hash == parent.hash
    assert block.header.timestamp >= parent.header.timestamp


async def test_what_was_committed_is_there_after_a_stop_and_the_chain_goes_on(kind: str, tmp_path: Path) -> None:
    async with engine_lab(kind, tmp_path) as lab:
        first = lab.submit(raw_transfer(0, 0))
        await lab.included(first)
        height, block_hash = lab.height, lab.application.ledger.head().hash
    async with engine_lab(kind, tmp_path) as lab:
        block = lab.application.ledger.find_block(height)
        assert block is not None
        assert block.hash == block_hash
        assert lab.application.ledger.find_receipt(first) is not None
        await lab.included(lab.submit(raw_transfer(0, 1)))
        assert lab.balance(STRANGER) == 2


async def test_executing_its_blocks_again_gives_the_same_chain(chain: EngineLab) -> None:
    for nonce in range(3):
        await chain.included(chain.submit(raw_transfer(4, nonce)))
    await chain.engine.stop()
    assert replayed_hash(chain) == chain.application.ledger.head().hash


async def test_each_committed_block_is_reported_once(chain: EngineLab) -> None:
    await chain.until(lambda: chain.height >= 3)
    await chain.engine.stop()
    assert [finalized.block.number for finalized in chain.reported] == list(range(1, chain.height + 1))


async def test_stopping_twice_is_harmless(chain: EngineLab) -> None:
    await chain.engine.stop()
    await chain.engine.stop()
    height = chain.height
    chain.engine.notify()
    assert chain.height == height
