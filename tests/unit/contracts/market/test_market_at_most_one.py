"""An instance that must not run twice: nothing is placed while a node may still run it, whatever ended its lease."""

import pytest

from flux.contracts.apps.types import AppId, encode_spec
from flux.contracts.market.rules import fence_of
from flux.contracts.market.types import (
    AT_MOST_ONE_LAPSE,
    CloseReason,
    FailReason,
    InstanceFenced,
    InvalidReport,
    Lease,
    LeaseState,
    NothingSaved,
    NotLeaseHolder,
    WrongLeaseState,
)
from flux.primitives.types import U16
from support.contract_lab import component, spec
from support.protocol_world import ProtocolWorld
from unit.contracts.market.test_market_drain import operate
from unit.contracts.market.test_market_succession import OWNER, a_shop, find_again, lose, reason, update

ONE = spec(at_most_one=True)


def fence(world: ProtocolWorld) -> int:
    return fence_of(ONE, world.params.market.fence_margin)


def stopped(world: ProtocolWorld, lease: Lease) -> None:
    world.send(world.agents[lease.node], world.market.stopped, lease.id)


def only_open(world: ProtocolWorld, app: AppId) -> Lease:
    (lease,) = world.open(app)
    return lease


def waits_out(world: ProtocolWorld, app: AppId) -> Lease:
    """Nothing is placed before the fence is over, and something at once then; the new lease."""
    ends = world.market.state.fences.get((app, U16(0))).until
    while world.world.block.now < ends - 1:
        assert world.open(app) == []
        world.block(seconds=1)
    world.block(seconds=1)
    world.block(seconds=1)
    return only_open(world, app)


def end(world: ProtocolWorld, app: AppId, lease: Lease, how: str) -> None:
    match how:
        case "move":
            world.send(OWNER, world.market.move, app, lease.ordinal)
        case "drain":
            operate(world, lease.node, "drain")
        case "leave":
            operate(world, lease.node, "leave")
        case "fail":
            world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.CRASH_LOOP, "")
        case "pause":
            world.send(OWNER, world.apps.pause, app)
            world.block()
            world.send(OWNER, world.apps.resume, app)
        case "update":
            world.send(
                OWNER,
                world.apps.update,
                app,
                U16(1),
                encode_spec(spec(component(cpu_milli=500), at_most_one=True)),
                b"",
            )


WAYS = ["move", "drain", "leave", "fail", "pause", "update"]


@pytest.mark.parametrize("how", WAYS)
def test_another_is_placed_only_when_the_old_one_has_stopped_for_sure(how: str) -> None:
    world, app, (lease,) = a_shop(nodes=4, of=ONE)
    end(world, app, lease, how)
    world.block()
    assert world.lease(lease.id).state is LeaseState.CLOSED
    assert waits_out(world, app).id != lease.id


@pytest.mark.parametrize("how", [how for how in WAYS if how != "leave"])
def test_a_node_that_says_that_it_stopped_need_not_be_waited_for(how: str) -> None:
    world, app, (lease,) = a_shop(nodes=4, of=ONE)
    end(world, app, lease, how)
    world.block()
    stopped(world, lease)
    world.block()
    assert only_open(world, app).id != lease.id


def test_a_suspect_instance_is_not_replaced_before_its_bound_and_then_waits_for_the_fence() -> None:
    world, app, (lease,) = a_shop(nodes=6, of=ONE)
    lose(world, lease.node)
    for _ in range(world.params.probes.suspicion_bound - 1):
        world.block(seconds=1)
        assert only_open(world, app).id == lease.id
    world.block(seconds=1)
    world.block(seconds=1)
    assert reason(world, lease) is CloseReason.UNREACHABLE
    assert waits_out(world, app).node != lease.node


def test_a_suspect_instance_that_is_found_again_runs_on() -> None:
    world, app, (lease,) = a_shop(nodes=6, of=ONE)
    lose(world, lease.node)
    world.block()
    find_again(world, lease.node)
    world.block()
    assert only_open(world, app).state is LeaseState.RUNNING


def test_the_fence_outlasts_an_agent_that_stops_by_itself() -> None:
    """The one comparison of both bounds: the agent's lapse, its stop, and the second by which the chain rounds."""
    slow = spec(component(stop_grace_seconds=60), component("other", stop_grace_seconds=5), at_most_one=True)
    assert fence_of(slow, ProtocolWorld().params.market.fence_margin) >= AT_MOST_ONE_LAPSE + 60 + 1 + 0.5


def test_only_the_holder_says_that_a_closed_lease_has_stopped_and_only_once() -> None:
    world, app, (lease,) = a_shop(nodes=4, of=ONE)
    with pytest.raises(WrongLeaseState):
        stopped(world, lease)
    world.send(OWNER, world.market.move, app, lease.ordinal)
    other = next(agent for node, agent in world.agents.items() if node != lease.node)
    with pytest.raises(NotLeaseHolder):
        world.send(other, world.market.stopped, lease.id)
    stopped(world, lease)
    with pytest.raises(InvalidReport):
        stopped(world, lease)


def test_a_lease_that_ended_while_another_may_still_run_is_waited_for_too() -> None:
    world, app, (first,) = a_shop(nodes=5, of=ONE)
    world.send(OWNER, world.market.move, app, first.ordinal)
    stopped(world, first)
    world.block()
    second = only_open(world, app)
    world.send(world.agents[second.node], world.market.fail, second.id, FailReason.START, "")
    world.block()
    with pytest.raises(InvalidReport):
        stopped(world, first)
    assert world.open(app) == []
    stopped(world, second)
    world.block()
    assert only_open(world, app).id not in (first.id, second.id)


def test_an_app_that_becomes_at_most_one_while_it_moves_never_has_two_again() -> None:
    world, app, (lease,) = a_shop(nodes=5)
    world.send(OWNER, world.market.move, app, lease.ordinal)
    world.block()
    assert len(world.open(app)) == 2
    world.send(OWNER, world.apps.update, app, U16(1), encode_spec(ONE), b"")
    world.block()
    assert world.open(app) == []
    assert waits_out(world, app).revision == 2


def test_apps_that_do_not_ask_for_it_wait_for_nothing() -> None:
    world, app, (lease,) = a_shop(nodes=4)
    update(world, app, cpu_milli=500)
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.CRASH_LOOP, "")
    world.block()
    assert world.open(app) != []
    assert list(world.market.state.fences.items()) == []


def test_fences_are_told_and_forgotten() -> None:
    world, app, (lease,) = a_shop(nodes=4, of=ONE)
    now = world.world.block.now
    world.send(OWNER, world.market.move, app, lease.ordinal)
    assert world.emitted(InstanceFenced(lease.id, app, lease.ordinal, now + fence(world)))  # type: ignore[arg-type]
    world.send(OWNER, world.apps.remove, app)
    world.block(seconds=fence(world))
    world.block()
    assert list(world.market.state.fences.items()) == []


def test_it_is_not_rebalanced() -> None:
    world, app, (lease,) = a_shop(nodes=2, of=ONE)
    world.node(8, price=1)
    world.block()
    with pytest.raises(NothingSaved):
        world.send(OWNER, world.market.rebalance, app, lease.ordinal)


def test_every_instance_of_a_larger_app_has_a_fence_of_its_own() -> None:
    world, app, leases = a_shop(nodes=6, instances=3, of=ONE)
    world.send(OWNER, world.market.move, app, leases[1].ordinal)
    world.block()
    held = {lease.ordinal: lease.state for lease in world.open(app)}
    assert held == {0: LeaseState.RUNNING, 2: LeaseState.RUNNING}


def test_an_update_that_no_node_can_run_takes_no_more_than_one_instance_down() -> None:
    world, app, _ = a_shop(nodes=4, instances=3, of=ONE)
    too_large = spec(component(memory_mib=50_000), at_most_one=True)
    world.send(OWNER, world.apps.update, app, U16(3), encode_spec(too_large), b"")
    for _ in range(4):
        world.block(seconds=fence(world) // 3 * 2)
        assert len(world.open(app)) == 2


def test_an_instance_that_is_found_again_on_a_draining_node_leaves_it_then() -> None:
    world, app, (lease,) = a_shop(nodes=6, of=ONE)
    lose(world, lease.node)
    operate(world, lease.node, "drain")
    find_again(world, lease.node)
    world.block()
    assert reason(world, lease) is CloseReason.DRAINED
    assert waits_out(world, app).node != lease.node


def test_what_a_revision_stopped_and_no_node_took_runs_again_when_the_app_goes_back() -> None:
    world, app, _ = a_shop(nodes=4, instances=2, of=ONE)
    too_large = spec(component(memory_mib=50_000), at_most_one=True)
    world.send(OWNER, world.apps.update, app, U16(2), encode_spec(too_large), b"")
    world.block(seconds=fence(world))
    world.block(seconds=2 * world.params.market.rollout_deadline)
    world.block()
    world.run_all(app)
    assert [(lease.ordinal, lease.revision) for lease in world.open(app)] == [(1, 1), (0, 1)]
