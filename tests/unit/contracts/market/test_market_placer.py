"""Placement at block end: bounded passes, fair to what arrives meanwhile, and a fleet that is that of the state."""

from dataclasses import dataclass

from flux.chain.consensus_info import NO_INFO
from flux.contracts.apps.types import AppId, Constraints, Http, Port, encode_spec
from flux.contracts.market.book import START_BATCH
from flux.contracts.market.types import CloseReason, InstancePending, LeaseState, MarketParams, Rejection
from flux.contracts.nodes.types import Ask, NodeId
from flux.kernel.errors import Revert
from flux.kernel.events import event_codec
from flux.primitives.types import NO_WEI, U16, U32, U64
from flux.protocol.params import minimal
from support.contract_lab import account, component, spec
from support.protocol_world import ProtocolWorld

GREEDY = spec(component(cpu_milli=10_000))
"""More than any node of these tests has."""


def bounded(limit: int, **changes: object) -> ProtocolWorld:
    market: MarketParams = minimal().market.but(max_placements_per_block=U32(limit), **changes)
    return ProtocolWorld(minimal().but(market=market))


def pending(world: ProtocolWorld, app: AppId) -> int:
    return len(world.market.pending(world.world.context(account("x")), app))


def is_due(world: ProtocolWorld) -> bool:
    """Whether the protocol asks for another block now."""
    due = world.machine.next_due()
    return due is not None and due <= world.world.block.timestamp


def test_what_is_beyond_the_bound_is_placed_in_the_next_blocks_at_once() -> None:
    world = bounded(2)
    world.fleet(3)
    apps = [world.deploy(f"app-{number}") for number in range(5)]
    placed = []
    for _ in range(3):
        world.block(seconds=0)
        placed.append(sum(len(world.open(app)) for app in apps))
        assert is_due(world) == (placed[-1] < 5)
    assert placed == [2, 4, 5]


def test_an_app_is_placed_as_a_whole() -> None:
    world = bounded(2)
    world.fleet(4)
    first, second = world.deploy("one", instances=4), world.deploy("two")
    world.block()
    assert (len(world.open(first)), len(world.open(second))) == (4, 0)


def test_what_arrives_behind_a_pass_that_is_under_way_is_tried_in_the_next_one() -> None:
    world = bounded(1)
    first = world.deploy("one")
    for number in range(3):
        world.deploy(f"greedy-{number}", spec=GREEDY)
    world.block(seconds=0)
    world.fleet(1)
    for _ in range(8):
        if not is_due(world):
            break
        world.block(seconds=0)
    assert [lease.node for lease in world.open(first)] == [1]


def test_passes_end_when_nothing_changes() -> None:
    world = bounded(1)
    world.fleet(1)
    for number in range(4):
        world.deploy(f"greedy-{number}", spec=GREEDY)
    blocks = 0
    while blocks == 0 or is_due(world):
        world.block(seconds=0)
        blocks += 1
    assert blocks == 4


def test_the_reasons_why_an_instance_waits_are_told_once_for_each_change() -> None:
    world = ProtocolWorld()
    world.fleet(2)
    app = world.deploy(spec=GREEDY)
    codec = event_codec(InstancePending)

    def told() -> list[tuple[int, ...]]:
        events = [codec.decode(log.topics, log.data) for log in world.world.logs if log.topics[0] == codec.topic0]
        return [event.rejections for event in events if isinstance(event, InstancePending) and event.app == app]

    world.block()
    world.deploy("other")
    world.block()
    (first,) = told()
    assert (first[Rejection.CPU], sum(first)) == (2, 2)
    world.node(5)
    world.block()
    assert [counts[Rejection.CPU] for counts in told()] == [2, 3]


def test_a_waiting_instance_is_tried_when_its_app_takes_a_higher_price() -> None:
    world = ProtocolWorld()
    world.fleet(1)
    app = world.deploy(spec=spec(constraints=Constraints(max_price_gwei_hour=1)))
    world.block()
    assert pending(world, app) == 1
    world.send(account("tenant shop"), world.apps.update, app, U16(1), encode_spec(spec()), b"")
    world.block()
    assert len(world.open(app)) == 1


def test_a_node_holds_no_more_leases_than_it_may() -> None:
    world = bounded(100, max_leases_per_node=U16(2))
    world.fleet(1)
    small = spec(component(cpu_milli=100))
    apps = [world.deploy(f"app-{number}", spec=small) for number in range(3)]
    world.block()
    assert [len(world.open(app)) for app in apps] == [1, 1, 0]
    verdicts = world.market.explain(world.world.context(account("x")), apps[2], NodeId(U32(1)), U16(9))
    assert [verdict.rejection for verdict in verdicts] == [Rejection.SLOTS]


def test_the_oldest_exclusion_gives_way_and_a_later_one_ends_the_earlier() -> None:
    world = bounded(100, max_exclusions=U16(1))
    world.fleet(3)
    app = world.deploy()
    owner = account("tenant shop")
    (first,) = world.run_all(app)
    world.send(owner, world.market.move, app, U16(0))
    (second,) = world.run_all(app)
    world.send(owner, world.market.move, app, U16(0))
    (third,) = world.run_all(app)
    assert third.node == first.node != second.node


def test_a_reverted_transaction_leaves_nothing_in_the_fleet() -> None:
    world = ProtocolWorld()
    first, second = world.fleet(2)
    world.block()

    @dataclass(eq=False)
    class Dropped(Revert):
        """As a proposal that loses."""

    def propose() -> None:
        free = Ask(U64(0), U64(0), U64(0), U64(0))
        world.send(account(f"operator {second}"), world.nodes.set_ask, second, free)
        app = world.deploy("lost")
        world.machine.end_block(NO_WEI, NO_INFO)
        assert [lease.node for lease in world.open(app)] == [second]
        raise Dropped

    assert isinstance(world.world.attempt(propose), Dropped)
    app = world.deploy()
    world.block()
    assert [lease.node for lease in world.open(app)] == [first]


def test_verdicts_within_a_block_know_what_it_changed_so_far() -> None:
    world = ProtocolWorld()
    (first,) = world.fleet(1)
    app = world.deploy()
    world.block()
    context = world.world.context(account("x"))
    before = world.market.explain(context, app, NodeId(U32(1)), U16(9))
    assert [verdict.rejection for verdict in before] == [Rejection.HOSTS_ALREADY]
    world.send(account(f"operator {first}"), world.nodes.leave, first)
    after = world.market.explain(context, app, NodeId(U32(1)), U16(9))
    assert after == []


def test_pages_of_verdicts_are_full_whoever_is_gone() -> None:
    world = ProtocolWorld()
    world.fleet(5)
    app = world.deploy(spec=GREEDY)
    world.block()
    for node in (1, 3):
        world.send(account(f"operator {node}"), world.nodes.leave, node)
    page = world.market.explain(world.world.context(account("x")), app, NodeId(U32(1)), U16(2))
    assert [verdict.node for verdict in page] == [2, 4]


def test_routes_name_running_instances_first_and_pages_are_full() -> None:
    world = ProtocolWorld()
    world.fleet(5)
    web = spec(component(ports=(Port(80),)), http=Http("web", 80, sticky=False))
    world.deploy("silent")
    app = world.deploy("web", instances=2, spec=web)
    world.deploy("also-silent")
    last = world.deploy("last", spec=web)
    leases = world.run_all(app)
    context = world.world.context(account("x"))
    lost = leases[0].node
    for member in world.probes.committee(context, lost):
        if lost not in world.probes.suspicions(context):
            world.send(world.agents[member], world.probes.suspect, lost)
    assert world.lease(leases[0].id).state is LeaseState.SUSPECT
    first, second = world.market.routes(context, AppId(U64(1)), U16(2))
    assert [item.lease for item in first.upstreams] == [leases[1].id, leases[0].id]
    assert {item.host for item in first.upstreams} == {f"10.{lease.node}.0.1" for lease in leases}
    assert (first.app, first.name, first.sticky, second.app) == (app, "web", False, last)
    assert world.market.routes(context, AppId(U64(1)), U16(1)) == [first]
    assert world.market.routes(context, AppId(U64(app + 1)), U16(9)) == [second]
    world.send(account("tenant web"), world.apps.remove, app)
    assert world.market.routes(context, AppId(U64(1)), U16(9)) == [second]


def test_of_leases_that_share_a_deadline_those_that_no_node_confirmed_are_lost() -> None:
    world = ProtocolWorld()
    world.fleet(START_BATCH + 2)
    app = world.deploy(instances=START_BATCH + 2, spec=spec(component(cpu_milli=100)))
    world.block()
    leases = world.open(app)
    assert len(leases) == START_BATCH + 2
    confirmed = [leases[0], leases[-1]]
    for lease in confirmed:
        world.confirm(lease)
    world.block(seconds=world.params.market.start_deadline)
    world.block()
    still_open = {lease.id for lease in world.open(app)}
    assert [lease.id for lease in leases if lease.id in still_open] == [lease.id for lease in confirmed]
    assert CloseReason.START_TIMEOUT in {lease.reason for lease in world.leases(app)}


def test_what_a_fence_holds_back_counts_too_and_holds_up_nobody() -> None:
    world = bounded(2)
    world.fleet(4)
    guarded = spec(at_most_one=True)
    apps = [world.deploy(f"app-{number}", instances=count, spec=guarded) for number, count in enumerate((3, 1, 1))]
    for number, app in enumerate(apps):
        for lease in world.run_all(app):
            world.send(account(f"tenant app-{number}"), world.market.move, app, lease.ordinal)
    other = world.deploy("other")
    went_on = []
    for _ in range(3):
        world.block(seconds=0)
        went_on.append(world.market.state.cursor.get())
    assert went_on == [apps[1], other, 0]
    assert [len(world.open(app)) for app in (*apps, other)] == [0, 0, 0, 1]
