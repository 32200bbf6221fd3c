"""A lease of which nothing runs for now: it keeps its place and costs nothing, and nobody is started beside it."""

import pytest

from flux.contracts.apps.types import AppId, Http, Port
from flux.contracts.market.types import (
    CloseReason,
    FailReason,
    InvalidReport,
    Lease,
    LeaseResumed,
    LeaseStalled,
    LeaseState,
    NotLeaseHolder,
    WrongLeaseState,
)
from flux.primitives.types import U16
from support.contract_lab import account, component, spec
from support.protocol_world import ProtocolWorld
from unit.contracts.market.test_market_drain import operate
from unit.contracts.market.test_market_succession import OWNER, a_shop, find_again, lose, reason, successor


def tell(world: ProtocolWorld, lease: Lease, what: str) -> None:
    world.send(world.agents[lease.node], getattr(world.market, what), lease.id)


def stalled(**changes: int) -> tuple[ProtocolWorld, AppId, Lease]:
    """An app whose only instance stalled."""
    world, app, (lease,) = a_shop(**changes)
    tell(world, lease, "stall")
    world.block()
    return world, app, world.lease(lease.id)


def spent(world: ProtocolWorld, app: AppId) -> int:
    return world.escrow.balance(world.world.context(OWNER), app).spent


def test_nothing_is_paid_while_a_lease_is_stalled_and_no_other_takes_its_place() -> None:
    world, app, lease = stalled()
    before = spent(world, app)
    for _ in range(10):
        world.block(seconds=25)
    assert (spent(world, app), world.open(app)) == (before, [lease])
    assert lease.state is LeaseState.STALLED
    assert world.emitted(LeaseStalled(lease.id, app, lease.node))


def test_a_lease_that_resumes_is_paid_from_then_on() -> None:
    world, app, lease = stalled()
    world.block(seconds=20)
    before = spent(world, app)
    tell(world, lease, "resume")
    world.block(seconds=20)
    assert world.lease(lease.id) == lease.but(state=LeaseState.RUNNING)
    assert spent(world, app) == before + 20 * lease.rate
    assert world.emitted(LeaseResumed(lease.id, app, lease.node))


def test_visitors_are_not_sent_to_a_stalled_instance() -> None:
    web = spec(component(ports=(Port(U16(80)),)), http=Http("web", U16(80)))
    world, app, (first, second) = a_shop(instances=2, of=web)
    tell(world, first, "stall")
    (route,) = world.market.routes(world.world.context(OWNER), app, U16(10))
    assert [upstream.lease for upstream in route.upstreams] == [second.id]
    tell(world, first, "resume")
    (route,) = world.market.routes(world.world.context(OWNER), app, U16(10))
    assert [upstream.lease for upstream in route.upstreams] == [first.id, second.id]


def test_only_its_node_says_so_and_only_of_what_it_can_be() -> None:
    world, app, (lease,) = a_shop()
    stranger = next(node for node in world.agents if node != lease.node)
    with pytest.raises(NotLeaseHolder):
        world.send(world.agents[stranger], world.market.stall, lease.id)
    with pytest.raises(WrongLeaseState):
        tell(world, lease, "resume")
    tell(world, lease, "stall")
    with pytest.raises(WrongLeaseState):
        tell(world, lease, "stall")
    with pytest.raises(NotLeaseHolder):
        world.send(account("anybody"), world.market.resume, lease.id)
    world.send(OWNER, world.apps.remove, app)
    for what in ("stall", "resume"):
        with pytest.raises(WrongLeaseState):
            tell(world, lease, what)


def test_free_reports_of_a_lease_are_bounded_in_time() -> None:
    world, _, lease = stalled()
    tell(world, lease, "resume")
    with pytest.raises(InvalidReport):
        tell(world, lease, "stall")
    world.block(seconds=world.params.market.stall_interval)
    tell(world, lease, "stall")
    world.block()


def test_a_stalled_lease_of_a_lost_node_is_replaced_and_may_stall_again_after_its_return() -> None:
    world, app, lease = stalled(nodes=6)
    lose(world, lease.node)
    world.block()
    assert world.lease(lease.id).state is LeaseState.SUSPECT
    assert successor(world, lease).node != lease.node
    find_again(world, lease.node)
    world.block()
    assert [item.state for item in world.open(app)] == [LeaseState.RUNNING]
    world.block(seconds=world.params.market.stall_interval)
    tell(world, lease, "stall")
    world.block()
    assert [item.state for item in world.open(app)] == [LeaseState.STALLED]


@pytest.mark.parametrize(("how", "why"), [("move", CloseReason.MOVED), ("drain", CloseReason.DRAINED)])
def test_a_stalled_instance_is_moved_like_a_running_one(how: str, why: CloseReason) -> None:
    world, app, lease = stalled()
    if how == "move":
        world.send(OWNER, world.market.move, app, 0)
    else:
        operate(world, lease.node, "drain")
    world.block()
    new = successor(world, lease)
    world.confirm(new)
    world.block()
    assert (reason(world, lease), [item.id for item in world.open(app)]) == (why, [new.id])


def test_an_undone_drain_leaves_a_stalled_instance_where_it_is() -> None:
    world, app, lease = stalled(nodes=2)
    operate(world, lease.node, "drain")
    world.block()
    assert len(world.open(app)) == 2
    operate(world, lease.node, "undrain")
    world.block()
    assert world.open(app) == [lease]


def test_a_stalled_lease_can_be_given_back_and_nothing_of_it_is_remembered() -> None:
    world, app, lease = stalled()
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.CRASH_LOOP, "")
    (new,) = world.run_all(app)
    assert (reason(world, lease), new.node != lease.node) == (CloseReason.CRASHED, True)
    assert list(world.market.state.stalls.items()) == []


def test_a_stalled_instance_of_which_one_may_run_ends_before_another_is_placed() -> None:
    world, app, (lease,) = a_shop(of=spec(at_most_one=True))
    tell(world, lease, "stall")
    world.send(OWNER, world.market.move, app, 0)
    world.block()
    assert (reason(world, lease), world.open(app)) == (CloseReason.MOVED, [])
