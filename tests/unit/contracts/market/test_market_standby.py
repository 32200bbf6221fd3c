"""Nodes that stand by: chosen like instances, paid while they hold the images, preferred when an instance is lost.

`ProtocolWorld.block` checks every invariant, among them that exactly ready nodes are paid beside running leases.
"""

from typing import Any

import pytest

from flux.contracts.apps.types import AppId, AppStatus, Constraints, InvalidSpec, encode_spec
from flux.contracts.escrow.types import DepositTooSmall, HostPaid
from flux.contracts.market.standby_types import (
    InvalidStandbyReport,
    NotStandby,
    Standby,
    StandbyDoubted,
    StandbyEnd,
    StandbyEnded,
    StandbyUsed,
)
from flux.contracts.market.types import Lease, LeaseState, MarketParams
from flux.contracts.nodes.types import Ask, NodeId
from flux.kernel.events import event_codec
from flux.primitives.types import U8, U16, U32, U64, Hash
from flux.protocol.params import minimal
from support.contract_lab import IMAGE, account, component, spec
from support.protocol_world import ProtocolWorld
from unit.contracts.market.test_market_drain import operate
from unit.contracts.market.test_market_succession import OWNER, find_again, lose

OTHER = IMAGE.replace("ab", "cd")
PARAMS = minimal().market


def a_shop(nodes: int = 5, instances: int = 1, standby: int = 1) -> tuple[ProtocolWorld, AppId, list[Lease]]:
    """An app whose instances run, with nodes chosen to stand by."""
    world = ProtocolWorld()
    world.fleet(nodes)
    app = world.deploy(instances=instances, spec=spec(standby=standby))
    return world, app, world.run_all(app)


def standbys(world: ProtocolWorld, app: AppId) -> list[Standby]:
    return world.market.standbys(world.world.context(account("anybody")), app)


def only(world: ProtocolWorld, app: AppId) -> Standby:
    (standby,) = standbys(world, app)
    return standby


def hold(world: ProtocolWorld, app: AppId, standby: Standby) -> Standby:
    """The node says that it holds the images; its record then."""
    world.send(world.agents[standby.node], world.market.hold, app, standby.images)
    return next(item for item in standbys(world, app) if item.node == standby.node)


def update(world: ProtocolWorld, app: AppId, **changes: Any) -> None:
    newer = spec(component(**changes.pop("of", {})), **changes)
    world.send(OWNER, world.apps.update, app, U16(1), encode_spec(newer), b"")


def ended(world: ProtocolWorld, app: AppId, standby: Standby) -> StandbyEnd:
    return next(
        reason for reason in StandbyEnd if world.emitted(StandbyEnded(standby.number, app, standby.node, U8(reason)))
    )


def paid(world: ProtocolWorld, standby: Standby) -> tuple[int, int]:
    """(wei with the fee, seconds) that a node got for standing by."""
    codec = event_codec(HostPaid)
    logs = [log for log in world.world.logs if log.topics[0] == codec.topic0]
    events = [codec.decode(log.topics, log.data) for log in logs]
    mine = [event for event in events if event.lease == standby.number]
    assert all(event.node == standby.node for event in mine)
    return sum(event.amount + event.fee for event in mine), sum(event.seconds for event in mine)


def test_the_next_in_line_is_whom_placement_would_choose_next() -> None:
    world, app, leases = a_shop(nodes=5, instances=2, standby=2)
    assert [lease.node for lease in leases] == [1, 2]
    assert [item.node for item in standbys(world, app)] == [3, 4]


def test_standing_by_takes_no_room_and_no_lease() -> None:
    world, app, _ = a_shop()
    node = only(world, app).node
    context = world.world.context(account("anybody"))
    assert world.market.usage(context, node).cpu_milli == 0
    assert world.market.leases_of_node(context, node) == []


def test_operators_and_rules_are_obeyed_as_for_instances() -> None:
    world = ProtocolWorld()
    for number, operator in enumerate(("one", "one", "two", "three"), 1):
        world.node(number, operator=operator, price=100 + number)
    app = world.deploy(spec=spec(standby=1))
    (lease,) = world.run_all(app)
    assert (lease.node, only(world, app).node) == (1, 3)

    world = ProtocolWorld()
    world.fleet(4)
    app = world.deploy(spec=spec(standby=3, constraints=Constraints(geo=("acEU",))))
    world.run_all(app)
    places = {
        world.nodes.node(world.world.context(OWNER), item.node).location.continent for item in standbys(world, app)
    }
    assert places == {"EU"}


def test_a_node_is_paid_from_when_it_says_that_it_holds_the_images() -> None:
    world, app, (lease,) = a_shop()
    standby = only(world, app)
    for _ in range(5):
        world.block()
    assert world.escrow.balance(world.world.context(OWNER), app).rate == lease.rate
    standby = hold(world, app, standby)
    assert standby.rate == lease_rate(world, app, standby.node) * PARAMS.standby_basis_points // 10_000 > 0
    assert world.escrow.balance(world.world.context(OWNER), app).rate == lease.rate + standby.rate
    world.block(seconds=20)
    world.send(OWNER, world.apps.pause, app)
    assert paid(world, standby) == (20 * standby.rate, 20)
    assert standbys(world, app) == []


def lease_rate(world: ProtocolWorld, app: AppId, node: NodeId) -> int:
    context = world.world.context(OWNER)
    plan = world.market.plan(context, encode_spec(spec(standby=1)), node, U16(1))
    return plan[0].rate


def test_reports_that_are_not_true_or_not_new_are_refused() -> None:
    world, app, (lease,) = a_shop()
    standby = only(world, app)
    agent = world.agents[standby.node]
    with pytest.raises(NotStandby):
        world.send(world.agents[lease.node], world.market.hold, app, standby.images)
    with pytest.raises(NotStandby):
        world.send(world.agents[lease.node], world.market.let_go, app)
    with pytest.raises(InvalidStandbyReport):
        world.send(agent, world.market.hold, app, Hash(bytes(32)))
    hold(world, app, standby)
    with pytest.raises(InvalidStandbyReport):
        world.send(agent, world.market.hold, app, standby.images)


def test_a_lost_instance_goes_to_the_node_that_holds_its_images_though_others_are_cheaper() -> None:
    world, app, (lease,) = a_shop(nodes=5)
    standby = hold(world, app, only(world, app))
    cheap = world.node(8, price=1)
    world.block()
    lose(world, lease.node)
    world.block()
    (new,) = [item for item in world.open(app) if item.state is LeaseState.ASSIGNED]
    assert new.node == standby.node != cheap
    assert world.emitted(StandbyUsed(new.id, app, standby.node))
    assert ended(world, app, standby) is StandbyEnd.USED
    assert only(world, app).node == cheap, "another one is next in line"


def test_a_node_that_is_not_ready_is_not_preferred() -> None:
    world, app, (lease,) = a_shop(nodes=5)
    cheap = world.node(8, price=1)
    world.block()
    assert only(world, app).node != cheap
    lose(world, lease.node)
    world.block()
    assert [item.node for item in world.open(app) if item.state is LeaseState.ASSIGNED] == [cheap]


def test_a_node_whose_price_has_become_too_high_is_neither_used_nor_kept() -> None:
    world, app, (lease,) = a_shop(nodes=3)
    limit = Constraints(max_price_gwei_hour=200_000_000)
    update(world, app, standby=1, constraints=limit)
    world.run_all(app)
    standby = hold(world, app, only(world, app))
    operator = world.nodes.node(world.world.context(OWNER), standby.node).operator
    world.send(operator, world.nodes.set_ask, standby.node, Ask(U64(10**9), U64(10**9), U64(0), U64(0)))
    lose(world, lease.node)
    world.block()
    assert ended(world, app, standby) is StandbyEnd.UNFIT
    assert standby.node not in [item.node for item in world.open(app)]


def test_a_node_that_asks_more_since_it_was_chosen_is_not_preferred_any_more() -> None:
    world, app, (lease,) = a_shop(nodes=5)
    standby = hold(world, app, only(world, app))
    record = world.nodes.node(world.world.context(OWNER), standby.node)
    dear = Ask(U64(100 * record.ask.cpu), record.ask.memory, record.ask.disk, record.ask.gpu)
    world.send(record.operator, world.nodes.set_ask, standby.node, dear)
    lose(world, lease.node)
    world.block()
    (new,) = [item for item in world.open(app) if item.state is LeaseState.ASSIGNED]
    assert new.node != standby.node
    assert ended(world, app, standby) is StandbyEnd.UNFIT


@pytest.mark.parametrize("how", ["drain", "leave"])
def test_a_node_that_goes_is_replaced(how: str) -> None:
    world, app, _ = a_shop()
    standby = hold(world, app, only(world, app))
    operate(world, standby.node, how)
    world.block()
    assert ended(world, app, standby) is StandbyEnd.NODE_LOST
    assert only(world, app).node != standby.node


def test_a_node_that_its_committee_lost_is_paid_again_only_when_it_says_so_again() -> None:
    world, app, (lease,) = a_shop()
    standby = hold(world, app, only(world, app))
    lose(world, standby.node)
    world.block()
    assert only(world, app).ready_at == 0
    assert world.emitted(StandbyDoubted(standby.number, app, standby.node))
    assert world.escrow.balance(world.world.context(OWNER), app).rate == lease.rate
    with pytest.raises(InvalidStandbyReport):
        hold(world, app, standby)
    find_again(world, standby.node)
    world.block()
    assert hold(world, app, standby).ready_at > 0


def test_a_node_that_stays_lost_is_replaced() -> None:
    world, app, _ = a_shop()
    standby = hold(world, app, only(world, app))
    lose(world, standby.node)
    for _ in range(25):
        world.block()
    assert ended(world, app, standby) is StandbyEnd.NODE_LOST
    assert only(world, app).node != standby.node


def test_a_node_that_never_says_that_it_holds_the_images_is_replaced_and_not_asked_to_run_them_for_a_while() -> None:
    world, app, _ = a_shop()
    standby = only(world, app)
    for _ in range(0, PARAMS.start_deadline + 2 * PARAMS.standby_interval, 5):
        world.block(seconds=5)
        if world.market.state.exclusions.find((app, standby.node)) is not None:
            break
    assert ended(world, app, standby) is StandbyEnd.SILENT
    assert only(world, app).node != standby.node


def test_a_node_that_cannot_hold_them_says_so_and_is_not_chosen_again() -> None:
    world, app, _ = a_shop(nodes=3)
    standby = only(world, app)
    world.send(world.agents[standby.node], world.market.let_go, app)
    world.block()
    assert ended(world, app, standby) is StandbyEnd.LET_GO
    assert only(world, app).node not in (standby.node, world.open(app)[0].node)
    with pytest.raises(NotStandby):
        world.send(world.agents[standby.node], world.market.hold, app, standby.images)


def test_other_images_are_to_be_fetched_anew_and_the_old_ones_are_paid_until_then() -> None:
    world, app, _ = a_shop()
    standby = hold(world, app, only(world, app))
    world.block(seconds=10)
    update(world, app, standby=1, of={"image": OTHER})
    world.block()
    new = only(world, app)
    assert (new.node, new.number, new.ready_at, new.revision) == (standby.node, standby.number, 0, 2)
    assert paid(world, standby)[1] == 10
    with pytest.raises(InvalidStandbyReport):
        world.send(world.agents[standby.node], world.market.hold, app, standby.images)
    assert hold(world, app, new).ready_at > 0


def test_the_same_images_stay_ready_and_follow_the_size_of_the_instance_in_price() -> None:
    world, app, _ = a_shop()
    standby = hold(world, app, only(world, app))
    update(world, app, standby=1, of={"cpu_milli": 500})
    world.block()
    new = only(world, app)
    assert (new.ready_at, new.revision) == (standby.ready_at, 2)
    assert 0 < new.rate < standby.rate


def test_asking_for_fewer_or_none_ends_those_at_the_end_of_the_line() -> None:
    world, app, _ = a_shop(nodes=5, standby=3)
    first, second, third = standbys(world, app)
    update(world, app, standby=1)
    world.block()
    assert only(world, app).node == first.node
    assert {ended(world, app, item) for item in (second, third)} == {StandbyEnd.NOT_WANTED}
    update(world, app)
    world.block()
    assert standbys(world, app) == []
    assert list(world.market.state.standbys.items()) == []


def test_pausing_ends_standing_by_and_resuming_begins_it_again() -> None:
    world, app, _ = a_shop()
    hold(world, app, only(world, app))
    world.send(OWNER, world.apps.pause, app)
    world.block()
    assert standbys(world, app) == []
    world.send(OWNER, world.apps.resume, app)
    world.run_all(app)
    assert only(world, app).ready_at == 0


def test_an_app_that_runs_dry_pays_nobody_and_nobody_stands_by_for_it() -> None:
    world = ProtocolWorld()
    world.fleet(3)
    smallest = world.escrow.quote_of(world.world.context(OWNER), spec(standby=1), U16(1))
    owner = world.fund("tenant shop", 10_000)
    data = encode_spec(spec(standby=1))
    app = world.send(owner, world.apps.deploy, "shop", U16(1), data, b"", value=int(smallest))
    world.run_all(app)
    hold(world, app, only(world, app))
    for _ in range(80):
        world.block(seconds=25)
    assert world.apps.app(world.world.context(OWNER), app).status is AppStatus.DEPLETED
    assert standbys(world, app) == []


def test_too_few_nodes_are_made_up_for_when_one_comes() -> None:
    world, app, _ = a_shop(nodes=1)
    assert standbys(world, app) == []
    new = world.node(7)
    for _ in range(PARAMS.standby_interval + 2):
        world.block()
    assert only(world, app).node == new


def test_a_node_stands_by_for_so_many_apps_and_no_more() -> None:
    market: MarketParams = PARAMS.but(max_standbys_per_node=U16(2))
    world = ProtocolWorld(minimal().but(market=market))
    world.fleet(2)
    apps = [world.deploy(f"shop-{number}", spec=spec(component(cpu_milli=100), standby=1)) for number in range(4)]
    for _ in range(3):
        world.block()
    assert sorted(item.node for app in apps for item in standbys(world, app)) == [2, 2]
    world.send(account("tenant shop-0"), world.apps.remove, apps[0])
    for _ in range(PARAMS.standby_interval + 2):
        world.block()
    assert sum(len(standbys(world, app)) for app in apps) == 2


def test_what_is_left_over_by_one_block_is_done_in_the_next() -> None:
    world = ProtocolWorld(minimal().but(market=PARAMS.but(max_placements_per_block=U32(2))))
    world.fleet(3)
    apps = [world.deploy(f"shop-{number}", spec=spec(component(cpu_milli=100), standby=1)) for number in range(5)]
    for _ in range(6):
        world.block()
    assert all(standbys(world, app) for app in apps)


def test_the_first_deposit_covers_whoever_stands_by() -> None:
    world, _, _ = a_shop()
    context = world.world.context(OWNER)
    many = U16(100)
    plain, three = (int(world.escrow.quote_of(context, spec(standby=count), many)) for count in (0, 3))
    seconds = world.params.escrow.min_runtime
    one = plain // 100 // seconds
    assert three == plain + 3 * (one * PARAMS.standby_basis_points // 10_000) * seconds
    with pytest.raises(DepositTooSmall):
        world.send(OWNER, world.apps.deploy, "other", many, encode_spec(spec(standby=3)), b"", value=three - 1)


@pytest.mark.parametrize("number", [-1, 6])
def test_a_spec_that_asks_for_too_many_is_refused(number: int) -> None:
    world = ProtocolWorld()
    with pytest.raises(InvalidSpec, match="standby"):
        world.deploy(spec=spec(standby=number))
