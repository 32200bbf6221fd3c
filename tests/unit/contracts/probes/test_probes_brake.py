"""The mass-failure brake: many nodes lost at once are re-placed at a limited rate, and come back with nothing lost."""

from collections.abc import Sequence

from flux.contracts.apps.types import Update
from flux.contracts.market.rollout_types import RolloutState
from flux.contracts.market.types import CloseReason, Lease, LeaseState
from flux.contracts.nodes.types import NodeId, NodeStatus
from flux.contracts.probes import invariants
from flux.contracts.probes.types import BrakeReleased, NodeUnreachable
from flux.kernel.context import Context
from flux.kernel.events import event_codec
from flux.primitives.types import U8, U16, U32, U64, ChainTime
from flux.protocol.params import minimal
from support.contract_lab import account
from support.protocol_world import ProtocolWorld
from support.rollout_lab import Shop

RELEASED = event_codec(BrakeReleased).topic0
PATIENCE = 400
"""Seconds that a test waits for the brake to be through."""


def a_world(nodes: int) -> ProtocolWorld:
    """Nodes of distinct operators, with a lease running on each of the first ones."""
    world = ProtocolWorld(minimal())
    world.fleet(nodes)
    return world


def context(world: ProtocolWorld) -> Context:
    return world.world.context(account("anybody"))


def suspects(world: ProtocolWorld) -> list[NodeId]:
    return world.probes.suspicions(context(world))


def waiting(world: ProtocolWorld) -> int:
    return world.probes.brake(context(world)).waiting


def holds(world: ProtocolWorld) -> bool:
    return world.probes.brake(context(world)).brake.since > 0


def vote_all(world: ProtocolWorld, lost: Sequence[NodeId]) -> None:
    """Every live member of the committees of lost nodes votes, as often as that leads to a new suspicion."""
    before = -1
    while before != len(suspects(world)):
        before = len(suspects(world))
        for target in lost:
            suspicion = world.probes.suspicion(context(world), target)
            if world.nodes.node(context(world), target).status is not NodeStatus.ACTIVE or suspicion.suspected_at:
                continue
            for member in world.probes.committee(context(world), target):
                suspicion = world.probes.suspicion(context(world), target)
                if member not in lost and member not in suspicion.votes and not suspicion.suspected_at:
                    world.send(world.agents[member], world.probes.suspect, target)


def restore(world: ProtocolWorld, node: NodeId) -> None:
    world.send(world.agents[node], world.probes.alive)
    for member in world.probes.second_committee(context(world), node):
        if node in suspects(world):
            world.send(world.agents[member], world.probes.reached, node)


def replaced(world: ProtocolWorld) -> list[NodeId]:
    """Suspect nodes whose leases are being replaced."""
    nodes = [node for _, node in world.probes.state.waiting]
    return [node for node in suspects(world) if node not in nodes]


def unreachable(world: ProtocolWorld) -> int:
    return sum(world.world.emitted(world.probes, NodeUnreachable(node)) for node in world.agents)


def lease_on_each(world: ProtocolWorld, count: int) -> list[Lease]:
    app = world.deploy(instances=count, deposit=1_000)
    return world.run_all(app)


def test_when_half_of_a_large_fleet_is_lost_at_once_a_tenth_is_replaced_in_any_minute() -> None:
    world = a_world(40)
    leases = lease_on_each(world, 40)
    lost = list(world.agents)[:20]
    given_up: list[tuple[int, NodeId]] = []
    for second in range(130):
        if second % 11 == 0:
            vote_all(world, lost)
        for node in replaced(world):
            if node not in [known for _, known in given_up]:
                given_up.append((second, node))
        world.block(seconds=1)
    assert holds(world)
    assert waiting(world) > 0
    for begin in range(130):
        assert len([node for second, node in given_up if begin <= second < begin + 60]) <= 4
    assert len(given_up) >= 8
    for lease in leases:
        state = world.lease(lease.id).state
        assert state is not LeaseState.CLOSED or lease.node in [node for _, node in given_up]
        if lease.node not in lost:
            assert state is LeaseState.RUNNING


def test_committees_that_are_lost_with_their_nodes_still_find_all_of_them() -> None:
    world = a_world(40)
    lost = list(world.agents)[:20]
    for _ in range(6):
        vote_all(world, lost)
        world.block(seconds=11)
    given_up = [node for node in lost if world.nodes.node(context(world), node).status is NodeStatus.SUSPENDED]
    assert sorted([*suspects(world), *given_up]) == lost


def test_a_fleet_that_returns_has_lost_nothing_but_the_few_that_had_their_turn() -> None:
    world = a_world(40)
    leases = lease_on_each(world, 40)
    lost = list(world.agents)[:20]
    vote_all(world, lost)
    world.block(seconds=1)
    assert holds(world)
    before = len(suspects(world))
    for node in suspects(world):
        restore(world, node)
    assert suspects(world) == []
    world.block(seconds=20)
    world.block(seconds=1)
    assert not holds(world)
    assert before > 10
    assert [world.lease(lease.id).state for lease in leases] == [LeaseState.RUNNING] * 40
    assert list(world.slashing.state.strikes.items()) == []


def test_while_the_brake_holds_nothing_accrues_on_nodes_that_wait() -> None:
    world = a_world(40)
    lease_on_each(world, 40)
    vote_all(world, list(world.agents)[:20])
    world.block(seconds=1)
    waits = [node for _, node in world.probes.state.waiting]
    assert waits
    for node in waits:
        for lease in world.market.leases_of_node(context(world), node):
            assert lease.state is LeaseState.SUSPECT
            assert [item for item in world.open(lease.app) if item.replaces == lease.id] == []


def test_everything_that_stays_lost_is_replaced_in_the_end_and_the_brake_released() -> None:
    world = a_world(24)
    lost = list(world.agents)[:10]
    for second in range(PATIENCE):
        if second % 11 == 0:
            vote_all(world, lost)
        world.block(seconds=1)
        if unreachable(world) == len(lost) and not holds(world):
            break
    assert unreachable(world) == len(lost)
    assert not holds(world)
    assert [log for log in world.world.logs if log.topics[0] == RELEASED] != []


def test_nine_nodes_have_no_brake() -> None:
    world = a_world(9)
    lost = list(world.agents)[:5]
    vote_all(world, lost)
    assert len(suspects(world)) == 5
    assert waiting(world) == 0
    assert not holds(world)


def test_up_to_a_third_is_replaced_within_seconds() -> None:
    world = a_world(30)
    lease_on_each(world, 30)
    lost = list(world.agents)[:7]
    vote_all(world, lost)
    assert len(suspects(world)) == 7
    assert len(replaced(world)) == 3
    for _ in range(world.params.probes.brake_look + 2):
        world.block(seconds=1)
    assert not holds(world)
    assert len(replaced(world)) == 7
    assert waiting(world) == 0


def test_one_node_that_is_doubted_again_and_again_sets_no_brake() -> None:
    world = a_world(10)
    for _ in range(5):
        for member in world.probes.committee(context(world), NodeId(U32(1)))[:2]:
            world.send(world.agents[member], world.probes.suspect, NodeId(U32(1)))
        assert world.probes.brake(context(world)).doubted == 1
        world.block(seconds=11)
    assert not holds(world)


def test_what_is_older_than_a_minute_does_not_count() -> None:
    world = a_world(12)
    for number in range(1, 5):
        node = NodeId(U32(number))
        for member in world.probes.committee(context(world), node)[:2]:
            world.send(world.agents[member], world.probes.suspect, node)
        world.block(seconds=25)
        assert world.probes.brake(context(world)).doubted <= 3
    assert not holds(world)


def test_leases_that_never_ran_start_elsewhere_at_once() -> None:
    world = a_world(40)
    app = world.deploy(instances=40, deposit=1_000)
    world.block()
    before = {lease.id: lease for lease in world.open(app)}
    vote_all(world, list(world.agents)[:20])
    for node in suspects(world):
        assert world.market.leases_of_node(context(world), node) == []
    ended = [lease for lease in world.leases(app) if lease.state is LeaseState.CLOSED and lease.id in before]
    assert {lease.reason for lease in ended} == {CloseReason.UNREACHABLE}


def test_the_rate_is_at_least_one_node_a_minute() -> None:
    world = a_world(10)
    vote_all(world, list(world.agents)[:4])
    brake = world.probes.brake(context(world)).brake
    assert (brake.fleet, brake.per_minute) == (U32(10), U32(1))
    assert world.params.probes.brake_rate == U16(10)


def test_the_invariants_notice_a_brake_that_does_not_add_up() -> None:
    world = a_world(40)
    vote_all(world, list(world.agents)[:20])
    state, now = world.probes.state, world.world.block.now
    assert invariants.check(world.probes) == []
    state.recent_count.set(U8(1), U32(state.recent_count.get(U8(1)) + 1))
    state.recent_count.set(U8(9), U32(1))
    state.recent_at.set((U8(2), NodeId(U32(40))), now)
    state.waiting.add((now, NodeId(U32(40))))
    state.turn_at.set(ChainTime(U64(0)))
    found = invariants.check(world.probes)
    for words in ("no turn is scheduled", "node 40 waits", "differs between", "9: 1} count"):
        assert any(words in problem for problem in found), words


def test_a_rollout_that_stands_still_while_the_brake_holds_has_not_failed() -> None:
    shop = Shop(nodes=12)
    world, deadline = shop.world, shop.world.params.market.rollout_deadline
    vote_all(world, list(world.agents)[6:])
    assert holds(world)
    shop.update(Update(monitor_seconds=0), cpu_milli=14_000)
    held = 0
    while holds(world):
        assert (held < PATIENCE, shop.state) == (True, RolloutState.ROLLING)
        world.block()
        held += 1
    assert held > 2 * deadline
    for _ in range(deadline - 2):
        world.block()
    assert shop.state is RolloutState.ROLLING, "the time that it may stand still begins when the brake lets go"
    for _ in range(4):
        world.block()
    assert (shop.state, shop.current) == (RolloutState.FAILED, 1)


def test_silence_of_a_node_says_nothing_of_a_revision_while_the_brake_holds() -> None:
    shop = Shop(nodes=12, instances=1)
    world = shop.world
    shop.update(Update(monitor_seconds=0))
    (silent,) = shop.starting()
    lost = [node for node in world.agents if node != silent.node][5:]
    vote_all(world, lost)
    for _ in range(world.params.market.start_deadline + 1):
        assert holds(world)
        world.block()
    assert world.lease(silent.id).reason is CloseReason.START_TIMEOUT
    assert (shop.state, shop.rollout.failures) == (RolloutState.ROLLING, 0)
