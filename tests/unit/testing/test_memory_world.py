"""The in-memory world behaves as the chain's: ordered ranges, all-or-nothing calls, scheduled work in order."""

import pytest

from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, scheduled
from flux.kernel.errors import InsufficientBalance, NotPayable, Unauthorized
from flux.primitives.types import U64, U256, Address, ChainTime, Wei
from flux.testing.world import START, MemoryWorld

ALICE = Address(b"\xa1" * 20)
BOX = Address(b"\xb0" * 20)


class Box(Contract):
    """Keeps what it is given and remembers scheduled work."""

    name = "Box"
    address = BOX

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.ran: list[tuple[int, int]] = []

    @method(gas=1)
    def fail(self, ctx: Context) -> None:
        self.host.storage.set(b"k", b"changed")
        self.host.storage.delete(b"other")
        self.host.pay(ctx.sender, Wei(U256(1)))
        raise Unauthorized(ctx.sender, BOX)

    @method(gas=1, payable=True)
    def keep(self, ctx: Context, due: U64) -> U64:
        self.host.schedule(ChainTime(due), 7, 42)
        return due

    @scheduled(7)
    def run(self, ctx: Context, subject: int) -> None:
        self.ran.append((ctx.now, subject))


def build() -> tuple[MemoryWorld, Box]:
    world = MemoryWorld()
    return world, Box(Host(world, BOX))


def test_a_range_is_in_key_order_both_ways_and_excludes_its_end() -> None:
    world, _ = build()
    for key in (b"\x02", b"\x01\xff", b"\x01", b"\x03"):
        world.set(BOX, key, b"v" + key)
    assert [key for key, _ in world.range(BOX, b"\x01", b"\x03")] == [b"\x01", b"\x01\xff", b"\x02"]
    assert [key for key, _ in world.range(BOX, b"\x01", b"\x03", reverse=True)] == [b"\x02", b"\x01\xff", b"\x01"]


def test_a_call_that_reverts_leaves_nothing_behind() -> None:
    world, box = build()
    world.mint(BOX, Wei(U256(10)))
    world.set(BOX, b"other", b"kept")
    before = (world.dump(), world.total_held(), world.balance(ALICE))
    with pytest.raises(Unauthorized):
        world.send(ALICE, 0, box.fail)
    assert (world.dump(), world.total_held(), world.balance(ALICE)) == before
    assert isinstance(world.attempt(lambda: box.fail(world.context(ALICE))), Unauthorized)
    assert (world.dump(), world.total_held(), world.balance(ALICE)) == before


def test_value_moves_with_a_payable_call_only() -> None:
    world, box = build()
    world.mint(ALICE, Wei(U256(5)))
    assert world.send(ALICE, 5, box.keep, U64(START + 3)) == START + 3
    assert world.balance(BOX) == 5
    with pytest.raises(InsufficientBalance):
        world.send(ALICE, 1, box.keep, U64(START))
    with pytest.raises(NotPayable):
        world.send(ALICE, 1, box.fail)


def test_work_runs_once_and_not_before_it_is_due() -> None:
    world, box = build()
    world.send(ALICE, 0, box.keep, U64(START + 3))
    world.advance(2)
    assert world.run_due([box]) == 0
    world.advance(1)
    assert world.run_due([box]) == 1
    assert world.run_due([box]) == 0
    assert box.ran == [(START + 3, 42)]


def test_the_test_may_set_the_block_itself() -> None:
    world, box = build()
    world.block = world.block._replace(now=ChainTime(U64(7)))
    assert world.context(ALICE).now == 7
    assert not world.run_due([box])


def test_an_empty_or_zero_led_value_is_refused_as_the_chain_refuses_it() -> None:
    world, _ = build()
    for value in (b"", b"\x00x"):
        with pytest.raises(AssertionError):
            world.set(BOX, b"k", value)


def test_burned_and_minted_account_for_all_that_is_held() -> None:
    world, _ = build()
    world.mint(ALICE, Wei(U256(10)))
    world.burn(ALICE, Wei(U256(3)))
    assert world.total_held() == world.minted - world.burned == 7
