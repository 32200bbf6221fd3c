"""Who takes a lease's place: moves, losses, returns and updates that cross each other leave one lease per instance.

`ProtocolWorld.block` checks every invariant, among them that no instance has two leases of its own or none at all.
"""

from typing import Any

import pytest

from flux.contracts.apps.types import AppId, AppSpec, Http, Port, Update, Volume, encode_spec
from flux.contracts.market.types import CloseReason, FailReason, Lease, LeaseState
from flux.contracts.nodes.types import Ask
from flux.primitives.types import U16, U64
from flux.protocol.params import minimal
from support.contract_lab import account, component, spec
from support.protocol_world import ProtocolWorld

OWNER = account("tenant shop")
WITH_VOLUME = (Volume("data", 100),)


def a_shop(nodes: int = 3, instances: int = 1, of: AppSpec | None = None) -> tuple[ProtocolWorld, AppId, list[Lease]]:
    """An app whose instances run."""
    world = ProtocolWorld()
    world.fleet(nodes)
    app = world.deploy(instances=instances, spec=of)
    return world, app, world.run_all(app)


def update(world: ProtocolWorld, app: AppId, instances: int = 1, volumes: Any = (), **changes: Any) -> None:
    """A revision that comes in as fast as it can, and goes on when a step fails."""
    newer = spec(component(**changes), volumes=volumes, update=Update(monitor_seconds=0, on_failure="continue"))
    world.send(OWNER, world.apps.update, app, U16(instances), encode_spec(newer), b"")


def fail(world: ProtocolWorld, lease: Lease) -> None:
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.START, "")


def lose(world: ProtocolWorld, node: int) -> None:
    """The whole committee reports the node."""
    context = world.world.context(account("x"))
    for member in world.probes.committee(context, node):  # type: ignore[arg-type]
        if node not in world.probes.suspicions(context):
            world.send(world.agents[member], world.probes.suspect, node)


def find_again(world: ProtocolWorld, node: int) -> None:
    """The node and its second committee say that it is alive."""
    context = world.world.context(account("x"))
    world.send(world.agents[node], world.probes.alive)  # type: ignore[index]
    for member in world.probes.second_committee(context, node):  # type: ignore[arg-type]
        if node in world.probes.suspicions(context):
            world.send(world.agents[member], world.probes.reached, node)


def successor(world: ProtocolWorld, lease: Lease) -> Lease:
    (found,) = [other for other in world.open(lease.app) if other.replaces == lease.id]
    return found


def reason(world: ProtocolWorld, lease: Lease) -> CloseReason:
    return world.lease(lease.id).reason


def test_the_replacement_of_a_lost_replacement_still_replaces_the_first_lease() -> None:
    world, app, (first,) = a_shop(nodes=6)
    lose(world, first.node)
    world.block()
    second = successor(world, first)
    lose(world, second.node)
    world.block()
    third = successor(world, first)
    assert (reason(world, second), third.node not in (first.node, second.node)) == (CloseReason.UNREACHABLE, True)
    world.confirm(third)
    world.block()
    assert [lease.id for lease in world.open(app)] == [third.id]
    assert reason(world, first) is CloseReason.UNREACHABLE


def test_a_replacement_that_fails_to_start_is_placed_again_while_the_first_runs() -> None:
    world, app, (first,) = a_shop()
    world.send(OWNER, world.market.move, app, 0)
    world.block()
    failed = successor(world, first)
    fail(world, failed)
    world.block()
    assert (reason(world, failed), world.lease(first.id).state) == (CloseReason.START_FAILED, LeaseState.RUNNING)
    assert successor(world, first).node not in (first.node, failed.node)


def test_a_crash_of_the_replaced_lease_leaves_its_replacement() -> None:
    world, app, (first,) = a_shop()
    world.send(OWNER, world.market.move, app, 0)
    world.block()
    second = successor(world, first)
    fail(world, first)
    world.block()
    assert reason(world, first) is CloseReason.CRASHED
    assert [lease.id for lease in world.run_all(app)] == [second.id]


def test_a_second_move_looks_for_another_node_than_both() -> None:
    world, app, (first,) = a_shop()
    for _ in range(2):
        world.send(OWNER, world.market.move, app, 0)
        world.block()
    second = successor(world, first)
    assert len({first.node, second.node} | {lease.node for lease in world.leases(app)}) == 3


def test_a_move_that_finds_no_node_waits_and_the_instance_runs_on() -> None:
    world, app, (first,) = a_shop(nodes=1)
    world.send(OWNER, world.market.move, app, 0)
    world.block()
    assert world.open(app) == [first]
    (waiting,) = world.market.pending(world.world.context(OWNER), app)
    assert waiting.replaces == first.id
    fail(world, first)
    world.block()
    (waiting,) = world.market.pending(world.world.context(OWNER), app)
    assert (waiting.replaces, world.open(app)) == (0, [])


def test_an_update_takes_over_a_replacement_that_has_not_started() -> None:
    world, app, (first,) = a_shop()
    world.send(OWNER, world.market.move, app, 0)
    world.block()
    second = successor(world, first)
    update(world, app, cpu_milli=500)
    world.block()
    third = successor(world, first)
    assert (reason(world, second), third.node, third.revision) == (CloseReason.UPDATED, second.node, 2)
    assert [lease.id for lease in world.run_all(app)] == [third.id]


def test_an_update_of_an_instance_that_has_not_started_restarts_it_on_its_node() -> None:
    world = ProtocolWorld()
    world.fleet(2)
    app = world.deploy(instances=2)
    world.block()
    before = world.open(app)
    update(world, app, instances=2, cpu_milli=500)
    world.block()
    after = world.open(app)
    assert [(lease.ordinal, lease.node, lease.revision) for lease in after] == [
        (lease.ordinal, lease.node, 2) for lease in before
    ]


def test_an_update_that_fails_beside_the_running_one_leaves_it_until_a_repaired_revision_comes() -> None:
    world, app, leases = a_shop(nodes=3, instances=2)
    update(world, app, instances=2, cpu_milli=500)
    world.block()
    fail(world, successor(world, leases[0]))
    world.block()
    assert sorted((lease.ordinal, lease.revision) for lease in world.run_all(app)) == [(0, 1), (1, 2)]
    update(world, app, instances=2, cpu_milli=600)
    assert [(lease.ordinal, lease.revision) for lease in world.run_all(app)] == [(0, 3), (1, 3)]


def test_an_update_that_a_node_held_up_goes_on_when_its_exclusion_is_over() -> None:
    world, app, (first,) = a_shop(nodes=1)
    update(world, app, cpu_milli=500)
    world.block()
    fail(world, successor(world, first))
    world.block(seconds=world.params.market.exclusion)
    world.block()
    assert [lease.revision for lease in world.run_all(app)] == [2]


def test_an_update_whose_start_times_out_leaves_the_old_instance_running() -> None:
    world, app, (first,) = a_shop(nodes=1)
    update(world, app, cpu_milli=500)
    late = successor(world, first)
    world.block(seconds=world.params.market.start_deadline)
    world.block()
    world.block()
    assert reason(world, late) is CloseReason.START_TIMEOUT
    assert [lease.id for lease in world.open(app)] == [first.id]


def test_a_deployment_that_failed_everywhere_is_tried_again_with_a_repaired_revision() -> None:
    world = ProtocolWorld()
    world.fleet(1)
    app = world.deploy()
    world.block()
    fail(world, world.open(app)[0])
    world.block()
    assert world.open(app) == []
    update(world, app, cpu_milli=500)
    assert [lease.revision for lease in world.run_all(app)] == [2]


@pytest.mark.parametrize("first_lost", [True, False])
def test_a_node_lost_during_an_update_in_place_is_replaced_by_the_new_revision(first_lost: bool) -> None:
    world, app, leases = a_shop(nodes=5, instances=2)
    update(world, app, instances=2, cpu_milli=500)
    lost = leases[0 if first_lost else 1]
    lose(world, lost.node)
    world.block()
    placed = successor(world, lost)
    assert (placed.revision, placed.node != lost.node) == (2, True)
    assert sorted((lease.ordinal, lease.revision) for lease in world.run_all(app)) == [(0, 2), (1, 2)]


def test_a_node_that_returns_during_an_update_goes_on_with_it() -> None:
    world, app, (first,) = a_shop(nodes=5)
    update(world, app, cpu_milli=500)
    lose(world, first.node)
    find_again(world, first.node)
    world.block()
    assert [(lease.revision, lease.ordinal) for lease in world.run_all(app)] == [(2, 0)]


def test_a_return_does_not_undo_what_the_owner_wants() -> None:
    world, app, (first,) = a_shop(nodes=5)
    world.send(OWNER, world.market.move, app, 0)
    lose(world, first.node)
    find_again(world, first.node)
    world.block()
    assert world.lease(first.id).state is LeaseState.RUNNING
    assert world.run_all(app)[0].node != first.node
    assert reason(world, first) is CloseReason.MOVED


def test_a_return_does_not_keep_a_node_from_leaving() -> None:
    world, app, (first,) = a_shop(nodes=5)
    lose(world, first.node)
    world.block()
    world.send(account(f"operator {first.node}"), world.nodes.leave, first.node)
    find_again(world, first.node)
    world.block()
    assert world.run_all(app)[0].node != first.node
    assert reason(world, first) is CloseReason.NODE_LEAVING


def test_an_instance_assigned_to_a_leaving_node_is_placed_elsewhere_at_once() -> None:
    world = ProtocolWorld()
    first, second = world.fleet(2)
    app = world.deploy()
    world.block()
    world.send(account(f"operator {first}"), world.nodes.leave, first)
    world.block()
    assert [lease.node for lease in world.open(app)] == [second]


def test_an_update_that_fits_nowhere_leaves_everything_running() -> None:
    world, app, leases = a_shop(nodes=2, instances=2)
    update(world, app, instances=2, cpu_milli=14_000)
    for _ in range(3):
        world.block()
    assert [lease.id for lease in world.open(app)] == [lease.id for lease in leases]
    update(world, app, instances=2, cpu_milli=500)
    assert [lease.revision for lease in world.run_all(app)] == [3, 3]


def test_an_update_that_does_not_fit_beside_the_old_instance_stops_it_first() -> None:
    world, app, (first,) = a_shop(nodes=1)
    update(world, app, cpu_milli=3_500)
    world.block()
    assert reason(world, first) is CloseReason.UPDATED
    assert [(lease.node, lease.revision, lease.replaces) for lease in world.open(app)] == [(first.node, 2, 0)]


def test_no_instance_with_a_volume_is_stopped_for_an_update_while_another_is_down() -> None:
    world, app, leases = a_shop(nodes=2, instances=2, of=spec(volumes=WITH_VOLUME))
    update(world, app, instances=2, volumes=WITH_VOLUME, cpu_milli=500)
    world.block()
    (started,) = [lease for lease in world.open(app) if lease.revision == 2]
    fail(world, started)
    world.block()
    assert [lease.id for lease in world.open(app)] == [leases[1].id]
    world.node(9)
    assert [(lease.ordinal, lease.revision) for lease in world.run_all(app)] == [(0, 2), (1, 2)]


@pytest.mark.parametrize("instances", [1, 4])
def test_scaling_during_an_update_brings_all_to_the_new_revision(instances: int) -> None:
    world, app, _ = a_shop(nodes=4, instances=3)
    update(world, app, instances=3, cpu_milli=500)
    world.send(OWNER, world.apps.scale, app, U16(instances))
    world.block()
    leases = world.run_all(app)
    assert sorted((lease.ordinal, lease.revision) for lease in leases) == [(number, 2) for number in range(instances)]


def test_more_instances_than_nodes_are_updated_while_the_rest_waits() -> None:
    world, app, leases = a_shop(nodes=2, instances=5)
    assert len(leases) == 2
    update(world, app, instances=5, cpu_milli=500)
    assert [lease.revision for lease in world.run_all(app)] == [2, 2]
    assert len(world.market.pending(world.world.context(OWNER), app)) == 3


def test_an_instance_that_cannot_start_does_not_hold_up_the_update_of_the_others() -> None:
    world, app, _ = a_shop(nodes=3, instances=2)
    world.send(OWNER, world.apps.scale, app, U16(3))
    world.block()
    update(world, app, instances=3, cpu_milli=500)
    world.block()
    (newest,) = [lease for lease in world.open(app) if lease.revision == 2]
    assert newest.ordinal == 2
    fail(world, newest)
    world.block()
    assert [(lease.ordinal, lease.revision) for lease in world.run_all(app)] == [(0, 2), (1, 2)]


def test_a_full_node_updates_in_place_by_stopping_first() -> None:
    params = minimal()
    world = ProtocolWorld(params.but(market=params.market.but(max_leases_per_node=U16(1))))
    world.fleet(1)
    app = world.deploy()
    world.run_all(app)
    update(world, app, cpu_milli=500)
    assert [(lease.node, lease.revision) for lease in world.run_all(app)] == [(1, 2)]


def test_a_node_that_the_owner_left_stays_excluded_for_all_revisions_when_it_fails_too() -> None:
    world, app, (first,) = a_shop(nodes=1)
    world.send(OWNER, world.market.move, app, 0)
    fail(world, first)
    update(world, app, cpu_milli=500)
    world.block()
    assert world.open(app) == []


@pytest.mark.parametrize("act", ["pause", "remove"])
def test_an_app_that_stops_during_a_move_and_an_update_keeps_nothing(act: str) -> None:
    world, app, _ = a_shop(nodes=4, instances=3)
    update(world, app, instances=3, cpu_milli=500)
    world.send(OWNER, world.market.move, app, 2)
    world.send(OWNER, getattr(world.apps, act), app)
    world.block()
    assert world.open(app) == []
    assert world.market.pending(world.world.context(OWNER), app) == []
    stopped = {"pause": CloseReason.PAUSED, "remove": CloseReason.REMOVED}[act]
    assert {lease.reason for lease in world.leases(app)} == {stopped}
    if act == "pause":
        world.send(OWNER, world.apps.resume, app)
        assert [lease.revision for lease in world.run_all(app)] == [2, 2, 2]


def test_a_node_that_raised_its_price_gets_no_more_for_an_update_in_place() -> None:
    world, app, (first,) = a_shop(nodes=1)
    node = world.nodes.node(world.world.context(OWNER), first.node)
    dearer = Ask(U64(node.ask.cpu * 100), U64(node.ask.memory * 100), U64(node.ask.disk * 100), U64(0))
    world.send(account("operator 1"), world.nodes.set_ask, first.node, dearer)
    update(world, app, cpu_milli=1000, working_dir="/srv")
    (renewed,) = world.run_all(app)
    assert (renewed.revision, renewed.rate) == (2, first.rate)


def test_an_ingress_is_never_shown_two_instances_of_one_number() -> None:
    """Through a loss, a replacement, a return and a move: what runs and what is in doubt are listed once each."""
    web = spec(component(ports=(Port(80),)), http=Http("web", 80))
    world, app, leases = a_shop(nodes=8, instances=3, of=web)
    context = world.world.context(account("x"))

    def check() -> None:
        (route,) = world.market.routes(context, app, U16(10))
        numbers = [upstream.ordinal for upstream in route.upstreams]
        assert len(set(numbers)) == len(numbers)

    lose(world, leases[0].node)
    for step in range(6):
        world.block()
        check()
        if step == 1:
            world.confirm(successor(world, leases[0]))
            check()
        if step == 2:
            world.send(OWNER, world.market.move, app, leases[1].ordinal)
            check()
        if step == 4:
            world.confirm(successor(world, leases[1]))
            check()
    world.block(seconds=world.params.probes.suspicion_bound)
    world.block()
    check()


def test_an_instance_that_is_unhealthy_never_has_a_second_one_beside_it() -> None:
    world, app, (lease,) = a_shop(nodes=4)
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.UNHEALTHY, "")
    assert world.open(app) == []
    (again,) = world.run_all(app)
    assert again.node != lease.node
