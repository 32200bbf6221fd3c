"""The world that contracts change: accounts, storage, logs, brackets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.chain.world import BadStorageWrite, ChainWorld, decode_account, encode_account
from flux.database.memory_store import MemoryStore
from flux.kernel.errors import InsufficientBalance, Unauthorized
from flux.kernel.events import Log
from flux.primitives.types import U256, Address, Wei

ALICE = Address(b"\x01" * 20)
BOB = Address(b"\x02" * 20)


def wei(amount: int) -> Wei:
    return Wei(U256(amount))


@pytest.fixture
def world() -> ChainWorld:
    return ChainWorld(MemoryStore().snapshot())


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**256 - 1))
def test_an_account_decodes_to_what_was_encoded(nonce: int, balance: int) -> None:
    assert decode_account(encode_account((nonce, balance))) == (nonce, balance)


def test_an_absent_account_is_empty() -> None:
    assert decode_account(None) == (0, 0)


def test_a_transfer_moves_and_creates_accounts(world: ChainWorld) -> None:
    world.mint(ALICE, wei(10))
    world.transfer(ALICE, BOB, wei(4))
    assert (world.balance(ALICE), world.balance(BOB)) == (6, 4)


def test_a_transfer_to_oneself_changes_nothing(world: ChainWorld) -> None:
    world.mint(ALICE, wei(10))
    world.transfer(ALICE, ALICE, wei(10))
    assert world.balance(ALICE) == 10


def test_moving_nothing_writes_no_account(world: ChainWorld) -> None:
    world.transfer(ALICE, BOB, wei(0))
    assert world.accounts == {}


def test_more_than_the_balance_is_refused_with_the_facts(world: ChainWorld) -> None:
    world.mint(ALICE, wei(3))
    with pytest.raises(InsufficientBalance) as caught:
        world.transfer(ALICE, BOB, wei(4))
    assert (caught.value.account, caught.value.available, caught.value.required) == (ALICE, 3, 4)
    assert (world.balance(ALICE), world.balance(BOB)) == (3, 0)


@pytest.mark.parametrize("method", ["mint", "burn"])
def test_a_negative_amount_is_a_bug(world: ChainWorld, method: str) -> None:
    with pytest.raises(ValueError, match="not negative"):
        getattr(world, method)(ALICE, wei(-1))


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x00x"])
def test_a_value_that_a_trie_leaf_could_not_tell_is_refused(world: ChainWorld, value: bytes) -> None:
    with pytest.raises(BadStorageWrite):
        world.set(ALICE, b"key", value)


def test_a_key_that_the_store_could_not_hold_is_refused(world: ChainWorld) -> None:
    world.set(ALICE, b"k" * 400, b"v")
    with pytest.raises(BadStorageWrite, match="at most 400"):
        world.set(ALICE, b"k" * 401, b"v")


def test_storage_of_one_address_is_not_anothers(world: ChainWorld) -> None:
    world.set(ALICE, b"key", b"alice")
    assert world.get(BOB, b"key") is None
    assert list(world.range(BOB, b"", b"z")) == []
    assert list(world.range(ALICE, b"", b"z")) == [(b"key", b"alice")]


def test_deleting_an_absent_key_writes_nothing(world: ChainWorld) -> None:
    world.delete(ALICE, b"key")
    assert world.storage.values == {}


def test_an_attempt_that_reverts_leaves_no_trace_and_returns_its_error(world: ChainWorld) -> None:
    world.mint(ALICE, wei(5))
    world.set(ALICE, b"old", b"1")
    world.emit(Log(ALICE, (), b"kept"))

    def action() -> None:
        world.transfer(ALICE, BOB, wei(5))
        world.set(ALICE, b"old", b"2")
        world.set(ALICE, b"new", b"3")
        world.delete(ALICE, b"old")
        world.emit(Log(ALICE, (), b"dropped"))
        raise Unauthorized(ALICE, BOB)

    assert isinstance(world.attempt(action), Unauthorized)
    assert (world.balance(ALICE), world.balance(BOB)) == (5, 0)
    assert (world.get(ALICE, b"old"), world.get(ALICE, b"new")) == (b"1", None)
    assert [log.data for log in world.take_logs()] == [b"kept"]


def test_a_failed_attempt_inside_a_kept_one_drops_only_its_own_part(world: ChainWorld) -> None:
    def inner() -> None:
        world.set(ALICE, b"inner", b"1")
        raise Unauthorized(ALICE, BOB)

    def outer() -> None:
        world.set(ALICE, b"outer", b"1")
        assert world.attempt(inner) is not None

    assert world.attempt(outer) is None
    assert (world.get(ALICE, b"outer"), world.get(ALICE, b"inner")) == (b"1", None)


def test_written_bytes_count_each_key_once_and_deletions_not_at_all(world: ChainWorld) -> None:
    world.set(ALICE, b"before", b"12345")
    mark = world.begin()
    assert world.written_bytes(mark) == 0
    world.set(ALICE, b"key", b"first")
    world.set(ALICE, b"key", b"1234567")
    world.delete(ALICE, b"before")
    assert world.written_bytes(mark) == 3 + 7
    world.end()


def test_an_ended_bracket_no_longer_records(world: ChainWorld) -> None:
    mark = world.begin()
    world.set(ALICE, b"key", b"v")
    world.mint(ALICE, wei(1))
    world.end()
    world.set(ALICE, b"other", b"v")
    world.undo(mark)
    assert (world.get(ALICE, b"key"), world.get(ALICE, b"other"), world.balance(ALICE)) == (b"v", b"v", 1)
