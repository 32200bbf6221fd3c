"""An instance with volumes goes back to the node that holds them, if that can run it."""

from flux.contracts.apps.types import AppId, Volume
from flux.contracts.market.types import FailReason, Lease, VolumesKept
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U16, U32
from support.contract_lab import account, spec
from support.protocol_world import ProtocolWorld
from unit.contracts.market.test_market_drain import operate, set_price
from unit.contracts.market.test_market_succession import OWNER, a_shop, find_again, lose

WITH_DATA = spec(volumes=(Volume("data", 100),))
NOBODY = NodeId(U32(0))


def holder(world: ProtocolWorld, app: AppId, ordinal: int = 0) -> NodeId:
    return world.market.volume_holder(world.world.context(account("x")), app, U16(ordinal))


def pause_and_resume(world: ProtocolWorld, app: AppId, seconds: int = 1) -> Lease:
    world.send(OWNER, world.apps.pause, app)
    world.block(seconds=seconds)
    world.send(OWNER, world.apps.resume, app)
    return world.run_all(app)[0]


def test_after_a_pause_an_instance_returns_to_its_data_though_others_are_cheaper() -> None:
    world, app, (lease,) = a_shop(of=WITH_DATA)
    set_price(world, lease.node, 10_000)
    again = pause_and_resume(world, app)
    assert again.node == lease.node
    assert world.emitted(VolumesKept(again.id, app, again.node))


def test_every_instance_returns_to_its_own_data() -> None:
    world, app, leases = a_shop(nodes=5, instances=3, of=WITH_DATA)
    for price, lease in enumerate(leases):
        set_price(world, lease.node, 1_000 - price)
    pause_and_resume(world, app)
    assert {lease.ordinal: lease.node for lease in world.open(app)} == {lease.ordinal: lease.node for lease in leases}


def test_without_volumes_the_cheapest_node_is_chosen_again() -> None:
    world, app, (lease,) = a_shop()
    set_price(world, lease.node, 10_000)
    assert pause_and_resume(world, app).node != lease.node


def test_what_is_older_than_the_quarantine_is_forgotten() -> None:
    world, app, (lease,) = a_shop(of=WITH_DATA)
    set_price(world, lease.node, 10_000)
    assert holder(world, app) == lease.node
    assert pause_and_resume(world, app, seconds=world.params.market.volume_memory).node != lease.node


def test_a_holder_that_cannot_run_it_holds_nothing_up() -> None:
    world, app, (lease,) = a_shop(of=WITH_DATA)
    operate(world, lease.node, "drain")
    world.block()
    moved = world.run_all(app)[-1]
    assert moved.node != lease.node
    assert holder(world, app) == moved.node


def test_a_node_that_failed_the_instance_is_not_preferred_for_it() -> None:
    world, app, (lease,) = a_shop(of=WITH_DATA)
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.CRASH_LOOP, "")
    assert world.run_all(app)[0].node != lease.node


def test_a_holder_that_returns_while_nobody_else_can_take_its_instance_gets_it_back() -> None:
    world, app, (lease,) = a_shop(nodes=3, of=WITH_DATA)
    for node in (1, 2, 3):
        if node != lease.node:
            operate(world, NodeId(U32(node)), "drain")
    lose(world, lease.node)
    world.block(seconds=world.params.probes.suspicion_bound)
    world.block()
    assert world.open(app) == []
    world.block(seconds=world.params.nodes.rejoin_delay)
    world.send(world.agents[lease.node], world.nodes.activate)
    assert world.run_all(app)[0].node == lease.node


def test_a_lost_node_that_returns_does_not_take_its_instance_back_from_where_it_runs() -> None:
    world, app, (lease,) = a_shop(nodes=6, of=WITH_DATA)
    lose(world, lease.node)
    world.block()
    second = world.run_all(app)[-1]
    assert holder(world, app) == second.node
    world.block(seconds=world.params.probes.suspicion_bound)
    world.block(seconds=world.params.nodes.rejoin_delay)
    world.send(world.agents[lease.node], world.nodes.activate)
    world.block(seconds=5)
    assert [item.id for item in world.open(app)] == [second.id]


def test_an_app_that_is_removed_leaves_nothing_behind() -> None:
    world, app, _ = a_shop(nodes=4, instances=3, of=WITH_DATA)
    world.send(OWNER, world.apps.remove, app)
    world.block()
    assert list(world.market.state.holders.items()) == []
    assert holder(world, app) == NOBODY


def test_a_restored_node_goes_on_holding_its_volumes() -> None:
    world, app, (lease,) = a_shop(nodes=6, of=WITH_DATA)
    lose(world, lease.node)
    find_again(world, lease.node)
    world.block()
    assert holder(world, app) == lease.node


def test_an_instance_without_data_leaves_the_node_of_another_ones_data_alone() -> None:
    world, app, leases = a_shop(nodes=5, instances=2, of=WITH_DATA)
    first, second = sorted(leases, key=lambda lease: lease.ordinal)
    world.send(OWNER, world.apps.pause, app)
    operate(world, first.node, "drain")
    set_price(world, second.node, 1)
    world.block()
    world.send(OWNER, world.apps.resume, app)
    world.run_all(app)
    assert {lease.ordinal: lease.node for lease in world.open(app)}[second.ordinal] == second.node
