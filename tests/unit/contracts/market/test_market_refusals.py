"""What the market refuses, and with which typed error; and the reasons for which a lease closes."""

import pytest

from flux.contracts.apps.types import AppId, Health, InvalidSpec, Port, UnknownApp, UnknownRevision
from flux.contracts.market.types import (
    CloseReason,
    FailReason,
    InvalidReport,
    Lease,
    LeaseId,
    NotAppOwner,
    NotLeaseHolder,
    UnknownInstance,
    UnknownLease,
    WrongLeaseState,
)
from flux.primitives.types import U16, U64
from support.contract_lab import account, component, spec
from support.protocol_world import ProtocolWorld

OWNER = account("tenant shop")
NO_APP = AppId(U64(77))
NO_LEASE = LeaseId(U64(77))


def assigned(nodes: int = 2) -> tuple[ProtocolWorld, Lease]:
    world = ProtocolWorld()
    world.fleet(nodes)
    app = world.deploy(spec=spec(component(ports=(Port(80),), health=Health("tcp", port=80))))
    world.block()
    (lease,) = world.open(app)
    return world, lease


def test_a_lease_that_never_was_is_unknown_to_everybody() -> None:
    world, lease = assigned()
    with pytest.raises(UnknownLease):
        world.lease(NO_LEASE)
    for report in (world.market.confirm, world.market.fail):
        arguments = ([],) if report == world.market.confirm else (FailReason.START, "")
        with pytest.raises(UnknownLease):
            world.send(world.agents[lease.node], report, NO_LEASE, *arguments)


def test_only_the_agent_of_the_holder_reports() -> None:
    world, lease = assigned()
    (other,) = [agent for node, agent in world.agents.items() if node != lease.node]
    for caller in (other, OWNER, account(f"operator {lease.node}")):
        with pytest.raises(NotLeaseHolder) as refused:
            world.send(caller, world.market.fail, lease.id, FailReason.START, "")
        assert (refused.value.lease, refused.value.node, refused.value.caller) == (lease.id, lease.node, caller)


def test_a_closed_lease_takes_no_report() -> None:
    world, lease = assigned()
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.START, "")
    for report, arguments in ((world.market.confirm, ([],)), (world.market.fail, (FailReason.START, ""))):
        with pytest.raises(WrongLeaseState):
            world.send(world.agents[lease.node], report, lease.id, *arguments)


def test_a_failure_is_told_in_at_most_200_characters() -> None:
    world, lease = assigned()
    with pytest.raises(InvalidReport, match="201 characters"):
        world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.START, "x" * 201)
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.IMAGE_PULL, "\x1b[31m" + "x" * 195)
    detail = world.lease(lease.id).detail
    assert detail.startswith("image pull: [31mxxx")
    assert len(detail) == 200


def test_bindings_that_are_not_the_declared_ports_are_refused() -> None:
    world, lease = assigned()
    with pytest.raises(InvalidReport, match="web:80/6 is declared"):
        world.send(world.agents[lease.node], world.market.confirm, lease.id, [])


def test_only_the_owner_moves_an_instance_that_there_is() -> None:
    world, lease = assigned()
    with pytest.raises(UnknownApp):
        world.send(OWNER, world.market.move, NO_APP, U16(0))
    with pytest.raises(NotAppOwner):
        world.send(account("stranger"), world.market.move, lease.app, U16(0))
    with pytest.raises(UnknownInstance):
        world.send(OWNER, world.market.move, lease.app, U16(1))
    world.send(OWNER, world.apps.pause, lease.app)
    with pytest.raises(UnknownInstance):
        world.send(OWNER, world.market.move, lease.app, U16(0))


def test_questions_about_what_is_not_there_are_refused_by_name() -> None:
    world, lease = assigned()
    context = world.world.context(OWNER)
    with pytest.raises(InvalidSpec):
        world.market.plan(context, b"{}", 1, U16(10))  # type: ignore[arg-type]
    with pytest.raises(UnknownApp):
        world.market.explain(context, NO_APP, 1, U16(10))  # type: ignore[arg-type]
    world.send(OWNER, world.apps.remove, lease.app)
    with pytest.raises(UnknownRevision):
        world.market.explain(context, lease.app, 1, U16(10))  # type: ignore[arg-type]


def test_every_refusal_can_be_read_by_clients() -> None:
    named = ProtocolWorld().market.errors
    for error in (UnknownApp, UnknownRevision, InvalidSpec, UnknownLease, NotLeaseHolder, WrongLeaseState):
        assert error in named


def test_closed_leases_are_kept_newest_first_and_only_the_last_ones() -> None:
    world = ProtocolWorld()
    world.fleet(1)
    app = world.deploy()
    kept = world.params.market.closed_leases_kept
    for _ in range(kept + 3):
        world.run_all(app)
        world.send(OWNER, world.apps.pause, app)
        world.send(OWNER, world.apps.resume, app)
    closed = [lease.id for lease in world.leases(app)]
    assert closed == list(range(kept + 3, 3, -1))
    with pytest.raises(UnknownLease):
        world.lease(LeaseId(U64(3)))


def test_a_lease_that_ran_for_long_is_kept_by_when_it_closed() -> None:
    world = ProtocolWorld()
    world.fleet(2)
    app = world.deploy(instances=2)
    oldest = world.run_all(app)[0]
    for _ in range(world.params.market.closed_leases_kept + 1):
        world.send(OWNER, world.apps.scale, app, U16(1))
        world.send(OWNER, world.apps.scale, app, U16(2))
        world.run_all(app)
    world.send(OWNER, world.apps.pause, app)
    world.block()
    assert world.lease(oldest.id).reason is CloseReason.PAUSED
    assert {lease.reason for lease in world.leases(app)} == {CloseReason.PAUSED, CloseReason.SCALED_DOWN}
