"""The protocol's own work at block end: bounded, and no bug or refusal in it stops the chain."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from flux.chain.consensus_info import NO_INFO
from flux.contracts.addresses import MARKET, PROBES
from flux.kernel.context import SYSTEM_ADDRESS, Context, ContractStorage
from flux.kernel.errors import Revert
from flux.kernel.events import event_codec
from flux.kernel.schedule import Due, Schedule
from flux.primitives.types import NO_WEI, U64, ChainTime
from flux.protocol.machine import ScheduledWorkFailed
from flux.protocol.params import minimal
from flux.protocol.registry import ProtocolFactory
from flux.testing.world import MemoryWorld


@dataclass(eq=False)
class Refusal(Revert):
    """No."""


def failed_work(world: MemoryWorld) -> list[ScheduledWorkFailed]:
    codec = event_codec(ScheduledWorkFailed)
    found = [codec.decode(log.topics, log.data) for log in world.logs if log.address == SYSTEM_ADDRESS]
    return [event for event in found if isinstance(event, ScheduledWorkFailed)]


def raiser(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [Refusal(), KeyError("gone"), AssertionError(), ZeroDivisionError()])
def test_work_that_fails_is_dropped_and_reported(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    world = MemoryWorld()
    machine = ProtocolFactory(minimal())(world)
    schedule = Schedule(ContractStorage(world, SYSTEM_ADDRESS))
    schedule.add(Due(world.block.now, PROBES, 1, 7))
    (probes,) = [contract for contract in machine.contracts if contract.address == PROBES]
    monkeypatch.setattr(probes, "end_epoch", raiser(error))
    machine.end_block(NO_WEI, NO_INFO)
    ((failure),) = failed_work(world)
    assert (failure.contract, failure.kind, failure.subject) == (PROBES, 1, 7)
    assert schedule.first() is None


def test_a_bug_in_placement_does_not_stop_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    world = MemoryWorld()
    machine = ProtocolFactory(minimal())(world)
    (market,) = [contract for contract in machine.contracts if contract.address == MARKET]
    monkeypatch.setattr(market, "place", raiser(ValueError()))
    machine.end_block(NO_WEI, NO_INFO)
    assert [event.contract for event in failed_work(world)] == [MARKET]


def test_due_work_is_bounded_per_block() -> None:
    world = MemoryWorld()
    params = minimal()
    params = params.but(protocol=params.protocol.but(max_due_per_block=3))
    machine = ProtocolFactory(params)(world)
    schedule = Schedule(ContractStorage(world, SYSTEM_ADDRESS))
    for subject in range(5):
        schedule.add(Due(world.block.now, MARKET, 1, 1000 + subject))
    machine.end_block(NO_WEI, NO_INFO)
    assert len(list(schedule.ready(world.block.now))) == 2
    assert machine.next_due() is not None


def test_work_of_the_future_stays() -> None:
    world = MemoryWorld()
    machine = ProtocolFactory(minimal())(world)
    schedule = Schedule(ContractStorage(world, SYSTEM_ADDRESS))
    schedule.add(Due(ChainTime(U64(world.block.now + 1)), MARKET, 1, 1))
    machine.end_block(NO_WEI, NO_INFO)
    assert schedule.first() is not None


def test_only_declared_reports_may_use_the_lane() -> None:
    machine = ProtocolFactory(minimal())(MemoryWorld())
    for contract in machine.contracts:
        for selector, method in contract.methods.items():
            assert machine.is_lane_call(contract.address, selector) is method.declaration.lane
    assert not machine.is_lane_call(MARKET, b"\x00\x00\x00\x00")
    assert not machine.is_lane_call(SYSTEM_ADDRESS, b"")
    assert isinstance(Context(SYSTEM_ADDRESS, NO_WEI, MemoryWorld().block).now, int)
