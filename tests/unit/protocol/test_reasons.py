"""Every reason why a lease ended or a node was rejected can be brought about, and has a sentence for people."""

from collections.abc import Callable

import pytest

from flux.cli import words
from flux.cli.story import Story
from flux.contracts.apps.types import AppId, AppSpec, Constraints, Revision, Update, encode_spec
from flux.contracts.market.types import CloseReason, FailReason, Lease, LeaseClosed, Ordinal, Rejection
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U8, U16, U32, U64, Hash, Height, Timestamp
from flux.sdk.history import Happened
from support.contract_lab import account, component, spec
from support.protocol_world import ProtocolWorld

OWNER = account("tenant shop")


def running(world: ProtocolWorld, *, nodes: int = 5, instances: int = 1, deposit: int = 100) -> tuple[AppId, Lease]:
    world.fleet(nodes)
    app = world.deploy(instances=instances, deposit=deposit)
    return app, world.run_all(app)[-1]


def removed(world: ProtocolWorld) -> Lease:
    app, lease = running(world)
    world.send(OWNER, world.apps.remove, app)
    return lease


def moved(world: ProtocolWorld) -> Lease:
    app, lease = running(world)
    world.send(OWNER, world.market.move, app, Ordinal(U16(0)))
    world.run_all(app)
    return lease


def scaled_down(world: ProtocolWorld) -> Lease:
    app, lease = running(world, instances=2)
    world.send(OWNER, world.apps.scale, app, U16(1))
    return lease


def updated(world: ProtocolWorld) -> Lease:
    app, lease = running(world)
    world.send(OWNER, world.apps.update, app, U16(1), encode_spec(spec(component("web2"))), b"")
    world.run_all(app)
    return lease


def paused(world: ProtocolWorld) -> Lease:
    app, lease = running(world)
    world.send(OWNER, world.apps.pause, app)
    return lease


def depleted(world: ProtocolWorld) -> Lease:
    _, lease = running(world, deposit=1)
    world.block(seconds=10**18 // lease.rate + 10)
    return lease


def start_failed(world: ProtocolWorld) -> Lease:
    world.fleet(2)
    app = world.deploy()
    world.block()
    (lease,) = world.open(app)
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.UNHEALTHY, "web stayed unhealthy")
    return lease


def start_timeout(world: ProtocolWorld) -> Lease:
    world.fleet(1)
    app = world.deploy()
    world.block()
    (lease,) = world.open(app)
    world.block(seconds=world.params.market.start_deadline + 1)
    return lease


def crashed(world: ProtocolWorld) -> Lease:
    _, lease = running(world)
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.CRASH_LOOP, "web stopped")
    return lease


def suspected(world: ProtocolWorld) -> tuple[AppId, Lease]:
    app, lease = running(world)
    for member in world.probes.committee(world.world.context(OWNER), lease.node)[:3]:
        world.send(world.agents[member], world.probes.suspect, lease.node)
    world.block()
    return app, lease


def unreachable(world: ProtocolWorld) -> Lease:
    app, lease = suspected(world)
    world.confirm(world.open(app)[1])
    return lease


def surplus(world: ProtocolWorld) -> Lease:
    app, lease = suspected(world)
    replacement = world.open(app)[1]
    world.send(world.agents[lease.node], world.probes.alive)
    for member in world.probes.second_committee(world.world.context(OWNER), lease.node)[:3]:
        world.send(world.agents[member], world.probes.reached, lease.node)
    return replacement


def node_leaving(world: ProtocolWorld) -> Lease:
    app, lease = running(world)
    world.send(account(f"operator {lease.node}"), world.nodes.leave, lease.node)
    world.block()
    world.confirm(world.open(app)[1])
    return lease


def drained(world: ProtocolWorld) -> Lease:
    app, lease = running(world)
    world.send(account(f"operator {lease.node}"), world.nodes.drain, lease.node)
    world.block()
    world.confirm(world.open(app)[1])
    return lease


def rolled_back(world: ProtocolWorld) -> Lease:
    app, _ = running(world)
    newer = spec(component("web2"), update=Update(monitor_seconds=1))
    world.send(OWNER, world.apps.update, app, U16(1), encode_spec(newer), b"")
    for _ in range(4):
        world.run_all(app)
    lease = world.run_all(app)[-1]
    world.send(OWNER, world.apps.rollback, app, Revision(U32(1)))
    world.run_all(app)
    return lease


CLOSED: dict[CloseReason, Callable[[ProtocolWorld], Lease]] = {
    CloseReason.REMOVED: removed,
    CloseReason.MOVED: moved,
    CloseReason.SCALED_DOWN: scaled_down,
    CloseReason.UPDATED: updated,
    CloseReason.PAUSED: paused,
    CloseReason.DEPLETED: depleted,
    CloseReason.START_FAILED: start_failed,
    CloseReason.START_TIMEOUT: start_timeout,
    CloseReason.CRASHED: crashed,
    CloseReason.UNREACHABLE: unreachable,
    CloseReason.NODE_LEAVING: node_leaving,
    CloseReason.SURPLUS: surplus,
    CloseReason.DRAINED: drained,
    CloseReason.ROLLED_BACK: rolled_back,
}


def told(event: LeaseClosed) -> str:
    happened = Happened(Height(U64(1)), Timestamp(U64(1)), Hash(bytes(32)), 0, event)
    (item,) = Story({}).tell([happened])
    return item.sentence


@pytest.mark.parametrize("reason", [reason for reason in CloseReason if reason is not CloseReason.NONE])
def test_every_end_of_a_lease_can_be_brought_about_and_told(reason: CloseReason) -> None:
    world = ProtocolWorld()
    lease = CLOSED[reason](world)
    world.block()
    world.block()
    closed = world.lease(lease.id)
    assert closed.reason is reason
    event = LeaseClosed(closed.id, closed.app, closed.node, U8(closed.reason), closed.detail)
    assert words.CLOSE_REASONS[reason] in told(event)


@pytest.mark.parametrize("failure", FailReason)
def test_every_failure_that_a_node_reports_is_named_and_told(failure: FailReason) -> None:
    world = ProtocolWorld()
    _, lease = running(world)
    world.send(world.agents[lease.node], world.market.fail, lease.id, failure, "exit status 3")
    closed = world.lease(lease.id)
    assert words.failure_name(closed.reason, closed.detail) == failure.name.lower()
    sentence = told(LeaseClosed(closed.id, closed.app, closed.node, U8(closed.reason), closed.detail))
    assert words.FAIL_REASONS[failure] in sentence
    assert "exit status 3" in sentence


def test_what_no_node_reported_has_no_failure() -> None:
    assert words.failure_name(CloseReason.MOVED, "unhealthy: so it said") is None
    assert words.failure_name(CloseReason.CRASHED, "something else: 1") is None


def test_every_reason_has_words_and_a_name() -> None:
    assert set(words.CLOSE_REASONS) == set(CloseReason)
    assert set(words.REJECTIONS) == set(Rejection)
    assert set(words.FAIL_REASONS) == set(FailReason)
    assert set(CLOSED) == set(CloseReason) - {CloseReason.NONE}
    for sentences in (words.CLOSE_REASONS, words.REJECTIONS, words.FAIL_REASONS):
        assert len(set(sentences.values())) >= len(sentences) - 1, "each says something of its own"
    counts = tuple(U32(number) for number in range(len(Rejection)))
    assert set(words.rejection_names(counts)) == {item.name.lower() for item in Rejection if item and counts[item]}
    assert words.close_name(99) == "99"


def verdict(world: ProtocolWorld, wanted: AppSpec, node: int = 1) -> Rejection:
    verdicts = world.market.plan(world.world.context(OWNER), encode_spec(wanted), NodeId(U32(1)), U16(100))
    return next(item.rejection for item in verdicts if item.node == node)


def test_a_node_is_rejected_by_name_for_what_a_spec_asks() -> None:
    world = ProtocolWorld()
    world.fleet(4)
    world.block()
    asked = {
        Rejection.NONE: spec(),
        Rejection.TIER: spec(constraints=Constraints(min_tier=3)),
        Rejection.ARCHITECTURE: spec(constraints=Constraints(architectures=("arm64",))),
        Rejection.GEO: spec(constraints=Constraints(geo=("acAF",))),
        Rejection.GPU: spec(constraints=Constraints(gpu_count=1)),
        Rejection.CPU: spec(component(cpu_milli=15_000)),
        Rejection.MEMORY: spec(component(memory_mib=50_000)),
        Rejection.DISK: spec(component(disk_mib=800_000)),
        Rejection.PRICE: spec(constraints=Constraints(max_price_gwei_hour=1)),
    }
    found = {reason: verdict(world, wanted) for reason, wanted in asked.items()}
    assert found == {reason: reason for reason in asked}


def test_a_node_is_rejected_by_name_for_what_happened_to_it() -> None:
    world = ProtocolWorld()
    app, lease = running(world, nodes=4)
    market, anyone = world.market, world.world.context(OWNER)

    def explained(node: int) -> Rejection:
        verdicts = market.explain(anyone, app, NodeId(U32(1)), U16(100))
        return next(item.rejection for item in verdicts if item.node == node)

    assert explained(lease.node) is Rejection.HOSTS_ALREADY
    world.send(world.agents[lease.node], market.fail, lease.id, FailReason.START, "")
    assert explained(lease.node) is Rejection.EXCLUDED
    others = [node for node in world.agents if node != lease.node]
    world.send(account(f"operator {others[0]}"), world.nodes.drain, others[0])
    assert explained(others[0]) is Rejection.DRAINING
    assert explained(world.node(9, active=False)) is Rejection.NOT_ACTIVE
