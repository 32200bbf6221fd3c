"""Instances move away from a draining node start-first, and nothing moves because it would be cheaper elsewhere."""

import pytest

from flux.contracts.apps.types import AppId
from flux.contracts.market.types import (
    CloseReason,
    FailReason,
    Lease,
    LeaseState,
    NotAppOwner,
    NothingSaved,
    NotSettled,
    Rejection,
)
from flux.contracts.nodes.types import Ask, NodeId, NodeStatus
from flux.kernel.context import Context
from flux.kernel.errors import Unauthorized
from flux.primitives.types import U16, U32, U64
from support.contract_lab import account, spec
from support.protocol_world import ProtocolWorld
from unit.contracts.market.test_market_succession import OWNER, WITH_VOLUME, a_shop, reason, successor


def context(world: ProtocolWorld) -> Context:
    return world.world.context(account("anybody"))


def operate(world: ProtocolWorld, node: NodeId, what: str) -> None:
    world.send(account(f"operator {node}"), getattr(world.nodes, what), node)


def running(world: ProtocolWorld, app: AppId) -> list[Lease]:
    return [lease for lease in world.open(app) if lease.state is LeaseState.RUNNING]


def set_price(world: ProtocolWorld, node: int, price: int) -> None:
    ask = Ask(U64(price * 200_000), U64(price * 100_000), U64(price * 2_000), U64(0))
    world.send(account(f"operator {node}"), world.nodes.set_ask, NodeId(U32(node)), ask)
    world.block()


@pytest.mark.parametrize("how", ["drain", "leave"])
def test_every_instance_of_a_draining_node_runs_elsewhere_before_it_ends_there(how: str) -> None:
    world, app, leases = a_shop(nodes=5, instances=3)
    drained = leases[0]
    operate(world, drained.node, how)
    for _ in range(4):
        assert len(running(world, app)) == 3
        world.block()
    world.confirm(successor(world, drained))
    world.block()
    assert len(running(world, app)) == 3
    assert reason(world, drained) is (CloseReason.DRAINED if how == "drain" else CloseReason.NODE_LEAVING)
    status = world.nodes.node(context(world), drained.node).status
    assert status is (NodeStatus.ACTIVE if how == "drain" else NodeStatus.GONE)


def test_a_draining_node_takes_nothing_new_and_says_so() -> None:
    world = ProtocolWorld()
    world.fleet(2)
    operate(world, NodeId(U32(1)), "drain")
    app = world.deploy()
    (lease,) = world.run_all(app)
    assert lease.node == 2
    (verdict, _) = world.market.explain(context(world), app, NodeId(U32(1)), U16(10))
    assert verdict.rejection is Rejection.DRAINING


def test_a_node_that_stops_draining_keeps_what_has_not_moved() -> None:
    world, app, (lease,) = a_shop(nodes=3)
    operate(world, lease.node, "drain")
    world.block()
    replacement = successor(world, lease)
    operate(world, lease.node, "undrain")
    world.block()
    assert reason(world, replacement) is CloseReason.SURPLUS
    assert [item.id for item in world.open(app)] == [lease.id]
    world.block(seconds=world.params.nodes.drain_deadline)
    world.block()
    assert [item.id for item in running(world, app)] == [lease.id]


def test_what_cannot_move_is_closed_at_the_deadline_and_waits() -> None:
    world, app, (lease,) = a_shop(nodes=1)
    operate(world, lease.node, "drain")
    world.block(seconds=world.params.nodes.drain_deadline - 1)
    world.block()
    assert world.lease(lease.id).state is LeaseState.RUNNING
    world.block()
    assert reason(world, lease) is CloseReason.DRAINED
    world.block()
    assert world.open(app) == []
    operate(world, lease.node, "undrain")
    world.block()
    assert len(world.open(app)) == 1


def test_draining_twice_does_not_put_off_the_deadline() -> None:
    world, _, (lease,) = a_shop(nodes=2)
    operate(world, lease.node, "drain")
    first = world.nodes.node(context(world), lease.node).drains_until
    world.block(seconds=10)
    operate(world, lease.node, "drain")
    assert world.nodes.node(context(world), lease.node).drains_until == first


def test_only_the_operator_drains() -> None:
    world, _, (lease,) = a_shop()
    for what in (world.nodes.drain, world.nodes.undrain):
        with pytest.raises(Unauthorized):
            world.send(OWNER, what, lease.node)


def test_a_draining_node_stays_in_committees_and_is_watched() -> None:
    world = ProtocolWorld()
    world.fleet(6)
    operate(world, NodeId(U32(1)), "drain")
    assert 1 in {member for node in range(2, 7) for member in world.probes.committee(context(world), NodeId(U32(node)))}
    assert world.probes.committee(context(world), NodeId(U32(1))) != []


def test_neither_a_cheaper_node_nor_one_that_comes_back_moves_anything() -> None:
    world, app, leases = a_shop(nodes=4, instances=2)
    cheap = world.node(5, price=1)
    set_price(world, 4, 1)
    operate(world, cheap, "drain")
    operate(world, cheap, "undrain")
    for _ in range(5):
        world.block(seconds=30)
    assert [item.id for item in world.open(app)] == [lease.id for lease in leases]


def test_rebalancing_says_what_would_move_and_what_it_saves() -> None:
    world, app, leases = a_shop(nodes=3, instances=2)
    assert world.market.relocations(context(world), app) == []
    first, second = world.node(8, price=1), world.node(9, price=2)
    world.block()
    moves = world.market.relocations(context(world), app)
    assert [(move.ordinal, move.node) for move in moves] == [(lease.ordinal, lease.node) for lease in leases]
    assert {move.to for move in moves} == {first, second}
    assert all(move.new_rate < move.rate == lease.rate for move, lease in zip(moves, leases, strict=True))


def test_an_instance_moves_to_the_cheaper_node_start_first_and_one_at_a_time() -> None:
    world, app, leases = a_shop(nodes=3, instances=2)
    world.node(8, price=1)
    world.node(9, price=2)
    world.block()
    first, second = world.market.relocations(context(world), app)
    assert world.send(OWNER, world.market.rebalance, app, first.ordinal) == first.to
    with pytest.raises(NotSettled):
        world.send(OWNER, world.market.rebalance, app, second.ordinal)
    world.block()
    assert len(running(world, app)) == 2
    taken = successor(world, leases[0])
    assert (taken.node, taken.rate) == (first.to, first.new_rate)
    world.confirm(taken)
    world.block()
    assert reason(world, leases[0]) is CloseReason.MOVED
    world.send(OWNER, world.market.rebalance, app, second.ordinal)
    world.run_all(app)
    assert world.market.relocations(context(world), app) == []
    with pytest.raises(NothingSaved):
        world.send(OWNER, world.market.rebalance, app, second.ordinal)


def test_an_instance_that_does_not_start_at_the_cheaper_node_stays_where_it_runs() -> None:
    world, app, (lease,) = a_shop(nodes=3)
    world.node(8, price=1)
    world.block()
    world.send(OWNER, world.market.rebalance, app, lease.ordinal)
    started = successor(world, lease)
    world.send(world.agents[started.node], world.market.fail, started.id, FailReason.START, "")
    for _ in range(3):
        world.block()
    assert [item.id for item in world.open(app)] == [lease.id]
    assert world.market.relocations(context(world), app) == []


def test_only_the_owner_rebalances_and_data_is_not_left_behind() -> None:
    world, app, (lease,) = a_shop(nodes=2, of=spec(volumes=WITH_VOLUME))
    world.node(8, price=1)
    world.block()
    assert world.market.relocations(context(world), app) == []
    with pytest.raises(NothingSaved):
        world.send(OWNER, world.market.rebalance, app, lease.ordinal)
    with pytest.raises(NotAppOwner):
        world.send(account("stranger"), world.market.rebalance, app, lease.ordinal)


def test_any_instance_may_be_the_first_to_move_and_takes_the_cheapest_node() -> None:
    world, app, leases = a_shop(nodes=3, instances=2)
    cheapest = world.node(8, price=1)
    world.node(9, price=2)
    world.block()
    assert world.send(OWNER, world.market.rebalance, app, leases[1].ordinal) == cheapest
