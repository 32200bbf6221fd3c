"""Leases from assignment to their end, over all contracts as they are wired on the chain."""

import pytest

from flux.contracts.apps.types import AppSpec, Constraints, Port
from flux.contracts.escrow.types import HostPaid
from flux.contracts.market.types import (
    CloseReason,
    FailReason,
    InvalidReport,
    Lease,
    LeaseState,
    NotAppOwner,
    NotLeaseHolder,
    Rejection,
    UnknownInstance,
    WrongLeaseState,
)
from flux.contracts.nodes.types import NodeStatus
from flux.contracts.probes.types import AlreadyReported, NotInCommittee, NotSuspected
from support.contract_lab import account, component, spec
from support.protocol_world import ProtocolWorld


def only(leases: list[Lease]) -> Lease:
    (lease,) = leases
    return lease


def status(world: ProtocolWorld, node: int) -> NodeStatus:
    record = world.nodes.find(node)  # type: ignore[arg-type]
    assert record is not None
    return record.status


def suspect_by(world: ProtocolWorld, node: int, count: int) -> None:
    committee = world.probes.committee(world.world.context(account("x")), node)  # type: ignore[arg-type]
    for member in committee[:count]:
        world.send(world.agents[member], world.probes.suspect, node)


def test_a_deployment_is_placed_on_the_cheapest_node_in_its_own_block() -> None:
    world = ProtocolWorld()
    cheapest = world.fleet(4)[0]
    app = world.deploy()
    world.block()
    lease = only(world.open(app))
    assert (lease.node, lease.state) == (cheapest, LeaseState.ASSIGNED)
    world.confirm(lease)
    assert world.lease(lease.id).state is LeaseState.RUNNING


def test_instances_go_to_different_nodes_and_what_finds_none_waits() -> None:
    world = ProtocolWorld()
    world.fleet(2)
    app = world.deploy(instances=3)
    world.run_all(app)
    assert len({lease.node for lease in world.open(app)}) == 2
    assert len(world.market.pending(world.world.context(account("x")), app)) == 1
    world.node(9)
    world.run_all(app)
    assert len(world.open(app)) == 3


def test_only_the_holder_confirms_once_and_with_the_declared_ports() -> None:
    world = ProtocolWorld()
    world.fleet(2)
    app = world.deploy(spec=spec(component(ports=(Port(80),))))
    world.block()
    lease = only(world.open(app))
    other = next(agent for node, agent in world.agents.items() if node != lease.node)
    with pytest.raises(NotLeaseHolder):
        world.send(other, world.market.confirm, lease.id, [])
    with pytest.raises(InvalidReport):
        world.send(world.agents[lease.node], world.market.confirm, lease.id, [])
    world.confirm(lease)
    with pytest.raises(WrongLeaseState):
        world.confirm(lease)


def test_a_node_that_cannot_start_it_loses_the_lease_and_is_avoided() -> None:
    world = ProtocolWorld()
    world.fleet(2)
    app = world.deploy()
    world.block()
    lease = only(world.open(app))
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.IMAGE_PULL, "no such image")
    world.block()
    assert world.lease(lease.id).reason is CloseReason.START_FAILED
    assert only(world.open(app)).node != lease.node
    verdicts = world.market.explain(world.world.context(account("x")), app, 1, 10)  # type: ignore[arg-type]
    reasons = {verdict.node: verdict.rejection for verdict in verdicts}
    assert reasons[lease.node] is Rejection.EXCLUDED


def test_a_silent_node_loses_the_lease_at_the_deadline() -> None:
    world = ProtocolWorld()
    world.fleet(2)
    app = world.deploy()
    world.block(seconds=world.params.market.start_deadline)
    lease = only(world.open(app))
    world.block()
    world.block()
    assert world.lease(lease.id).reason is CloseReason.START_TIMEOUT
    assert only(world.open(app)).node != lease.node


def test_a_host_is_paid_to_the_second_and_the_rest_comes_back() -> None:
    world = ProtocolWorld()
    world.fleet(1)
    app = world.deploy()
    lease = only(world.run_all(app))
    started = world.lease(lease.id).running_at
    world.block(seconds=10)
    owner = account("tenant shop")
    before = world.world.balance(owner)
    elapsed = world.world.block.now - started
    world.send(owner, world.apps.remove, app)
    world.block()
    total = lease.rate * elapsed
    fee = total * world.params.escrow.fee_basis_points // 10_000
    paid = HostPaid(app, lease.node, account("operator 1"), total - fee, fee, elapsed, lease.id)  # type: ignore[arg-type]
    assert world.world.emitted(world.escrow, paid)
    assert world.world.balance(owner) - before == 100 * 10**18 - total
    assert world.lease(lease.id).reason is CloseReason.REMOVED


def test_an_app_that_runs_dry_stops_and_a_top_up_brings_it_back() -> None:
    world = ProtocolWorld()
    world.fleet(1)
    app = world.deploy(deposit=1)
    lease = only(world.run_all(app))
    world.block(seconds=10**18 // lease.rate + 10)
    world.block()
    assert world.open(app) == []
    assert world.lease(lease.id).reason is CloseReason.DEPLETED
    world.send(account("tenant shop"), world.escrow.top_up, app, value=5 * 10**18)
    assert only(world.run_all(app)).state is LeaseState.RUNNING


def test_pause_and_resume() -> None:
    world = ProtocolWorld()
    world.fleet(2)
    app = world.deploy(instances=2)
    world.run_all(app)
    owner = account("tenant shop")
    world.send(owner, world.apps.pause, app)
    world.block()
    assert world.open(app) == []
    world.send(owner, world.apps.resume, app)
    assert len(world.run_all(app)) == 2


def test_scaling_down_ends_the_highest_ordinals() -> None:
    world = ProtocolWorld()
    world.fleet(3)
    app = world.deploy(instances=3)
    world.run_all(app)
    world.send(account("tenant shop"), world.apps.scale, app, 1)
    world.block()
    assert [lease.ordinal for lease in world.open(app)] == [0]


def test_a_move_starts_elsewhere_before_it_ends_here() -> None:
    world = ProtocolWorld()
    world.fleet(2)
    app = world.deploy()
    lease = only(world.run_all(app))
    with pytest.raises(NotAppOwner):
        world.send(account("stranger"), world.market.move, app, 0)
    owner = account("tenant shop")
    with pytest.raises(UnknownInstance):
        world.send(owner, world.market.move, app, 7)
    world.send(owner, world.market.move, app, 0)
    world.block()
    old, new = world.open(app)
    assert (old.id, old.state, new.replaces) == (lease.id, LeaseState.RUNNING, lease.id)
    world.confirm(new)
    assert world.lease(lease.id).reason is CloseReason.MOVED
    assert only(world.open(app)).id == new.id


@pytest.mark.parametrize("volumes", [False, True])
def test_an_update_reaches_every_instance_one_after_another(volumes: bool) -> None:
    world = ProtocolWorld()
    world.fleet(2)
    app = world.deploy(instances=2)
    world.run_all(app)
    from flux.contracts.apps.types import Mount, Update, Volume, encode_spec

    part = component(cpu_milli=500, mounts=(Mount("data", "/data"),) if volumes else ())
    newer = AppSpec(
        components=(part,),
        volumes=(Volume("data", 100),) if volumes else (),
        constraints=Constraints(),
        update=Update(monitor_seconds=0),
    )
    world.send(account("tenant shop"), world.apps.update, app, 2, encode_spec(newer), b"")
    world.block()
    assert len({lease.ordinal for lease in world.open(app) if lease.state is LeaseState.RUNNING}) >= 1
    leases = world.run_all(app)
    assert sorted((lease.ordinal, lease.revision) for lease in leases) == [(0, 2), (1, 2)]
    assert {lease.node for lease in leases} == {1, 2}


def test_a_lost_node_is_suspect_first_and_unreachable_at_the_bound() -> None:
    world = ProtocolWorld()
    world.fleet(5)
    app = world.deploy()
    lease = only(world.run_all(app))
    suspect_by(world, lease.node, 3)
    world.block()
    old, new = world.open(app)
    assert (old.state, new.replaces, new.node != lease.node) == (LeaseState.SUSPECT, lease.id, True)
    world.confirm(new)
    assert world.lease(lease.id).reason is CloseReason.UNREACHABLE
    world.block(seconds=world.params.probes.suspicion_bound)
    world.block()
    assert status(world, lease.node) is NodeStatus.SUSPENDED
    world.block(seconds=world.params.nodes.rejoin_delay)
    world.send(world.agents[lease.node], world.nodes.activate)
    assert status(world, lease.node) is NodeStatus.ACTIVE
    assert only(world.open(app)).id == new.id


def test_a_refuted_suspicion_restores_the_lease_and_cancels_its_replacement() -> None:
    world = ProtocolWorld()
    world.fleet(5)
    app = world.deploy()
    lease = only(world.run_all(app))
    suspect_by(world, lease.node, 3)
    world.block()
    replacement = world.open(app)[1]
    world.send(world.agents[lease.node], world.probes.alive)
    with pytest.raises(AlreadyReported):
        world.send(world.agents[lease.node], world.probes.alive)
    for member in world.probes.second_committee(world.world.context(account("x")), lease.node)[:3]:
        world.send(world.agents[member], world.probes.reached, lease.node)
    world.block()
    assert only(world.open(app)).state is LeaseState.RUNNING
    assert world.lease(replacement.id).reason is CloseReason.SURPLUS
    world.block(seconds=world.params.probes.suspicion_bound + 1)
    world.block()
    assert status(world, lease.node) is NodeStatus.ACTIVE


def test_a_minority_or_strangers_cannot_make_a_node_suspect() -> None:
    world = ProtocolWorld()
    world.fleet(5)
    app = world.deploy()
    lease = only(world.run_all(app))
    suspect_by(world, lease.node, 2)
    world.block()
    assert only(world.open(app)).state is LeaseState.RUNNING
    with pytest.raises(NotInCommittee):
        world.send(world.agents[lease.node], world.probes.suspect, lease.node)
    with pytest.raises(NotSuspected):
        world.send(world.agents[lease.node], world.probes.alive)
    world.block(seconds=world.params.probes.vote_window + 1)
    committee = world.probes.committee(world.world.context(account("x")), lease.node)
    world.send(world.agents[committee[2]], world.probes.suspect, lease.node)
    world.block()
    assert only(world.open(app)).state is LeaseState.RUNNING


def test_a_leaving_node_is_drained_before_it_goes() -> None:
    world = ProtocolWorld()
    world.fleet(2)
    app = world.deploy()
    lease = only(world.run_all(app))
    operator = account(f"operator {lease.node}")
    world.send(operator, world.nodes.leave, lease.node)
    world.block()
    assert status(world, lease.node) is NodeStatus.LEAVING
    world.confirm(world.open(app)[1])
    world.block()
    assert world.lease(lease.id).reason is CloseReason.NODE_LEAVING
    assert status(world, lease.node) is NodeStatus.GONE
    before = world.world.balance(operator)
    world.block(seconds=world.params.staking.unbonding + world.params.staking.unbonding_step)
    world.send(operator, world.staking.withdraw, lease.node)
    assert world.world.balance(operator) - before == 1_000 * 10**18


def test_a_leaving_node_that_nobody_replaces_goes_at_the_deadline() -> None:
    world = ProtocolWorld()
    world.fleet(1)
    app = world.deploy()
    lease = only(world.run_all(app))
    world.send(account("operator 1"), world.nodes.leave, lease.node)
    world.block(seconds=world.params.nodes.drain_deadline)
    world.block()
    world.block()
    assert status(world, lease.node) is NodeStatus.GONE
    assert world.open(app) == []


def test_plan_says_why_each_node_would_not_do() -> None:
    from flux.contracts.apps.types import encode_spec

    world = ProtocolWorld()
    world.fleet(4)
    picky = AppSpec(components=(component(),), constraints=Constraints(geo=("acEU",)))
    world.block()
    verdicts = world.market.plan(world.world.context(account("x")), encode_spec(picky), 1, 10)  # type: ignore[arg-type]
    assert [verdict.rejection for verdict in verdicts].count(Rejection.GEO) == 2
    assert all(verdict.rate > 0 for verdict in verdicts)
