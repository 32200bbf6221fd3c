"""How another revision comes in: gates between steps, what a failure does, what is remembered of it.

`ProtocolWorld.block` checks every invariant after each block.
"""

import pytest

from flux.contracts.apps.types import (
    Constraints,
    NotOwner,
    Revision,
    RevisionIsCurrent,
    UnknownRevision,
    Update,
    encode_spec,
)
from flux.contracts.market.rollout_types import RolloutState
from flux.contracts.market.types import CloseReason, FailReason, LeaseState
from flux.contracts.nodes.types import Ask
from flux.primitives.types import U16, U32, U64
from support.contract_lab import account, component, hardware, spec
from support.rollout_lab import DATA, DONE, FAILED, OWNER, PAUSED, ROLLING, ROLLING_BACK, Shop


def test_an_app_that_never_changed_has_no_rollout() -> None:
    assert Shop().state is RolloutState.NONE


def test_the_next_instance_follows_when_the_one_before_it_was_well_for_the_time_it_is_watched() -> None:
    shop = Shop()
    shop.update(Update(monitor_seconds=5))
    assert (shop.state, len(shop.starting())) == (ROLLING, 1)
    shop.confirm()
    shop.pass_time(5)
    assert (shop.revisions, shop.starting()) == ([2, 1, 1], [])
    shop.pass_time(1)
    assert (shop.revisions, [lease.ordinal for lease in shop.starting()]) == ([2, 1, 1], [1])
    assert shop.finish() is DONE
    assert (shop.revisions, shop.rollout.steps, shop.rollout.source, shop.rollout.target) == ([2, 2, 2], 3, 1, 2)
    assert shop.rollout.ended_at - shop.rollout.started_at >= 15


def test_a_rollout_is_done_only_when_the_last_instance_was_watched_too() -> None:
    shop = Shop(instances=1)
    shop.update(Update(monitor_seconds=5))
    shop.confirm()
    shop.pass_time(5)
    assert shop.state is ROLLING
    shop.pass_time(1)
    assert shop.state is DONE


def test_without_words_about_updates_ten_seconds_lie_between_two_instances() -> None:
    shop = Shop()
    shop.update()
    shop.confirm()
    shop.pass_time(10)
    assert shop.starting() == []
    shop.pass_time(1)
    assert len(shop.starting()) == 1


def test_a_delay_longer_than_the_watch_counts() -> None:
    shop = Shop()
    shop.update(Update(monitor_seconds=1, delay_seconds=7))
    shop.confirm()
    shop.pass_time(7)
    assert shop.starting() == []
    shop.pass_time(1)
    assert len(shop.starting()) == 1


def test_as_many_instances_as_the_spec_allows_are_on_their_way_at_one_time() -> None:
    shop = Shop(nodes=5, instances=5)
    shop.update(Update(parallelism=2, monitor_seconds=0))
    assert [lease.ordinal for lease in shop.starting()] == [0, 1]
    shop.world.confirm(shop.starting()[1])
    assert [lease.ordinal for lease in shop.starting()] == [0, 2]
    assert shop.finish() is DONE


@pytest.mark.parametrize(("order", "replaces"), [("auto", True), ("start-first", True), ("stop-first", False)])
def test_the_old_instance_stops_before_or_after_the_new_one_starts(order: str, replaces: bool) -> None:
    shop = Shop(nodes=1, instances=1)
    (old,) = shop.world.open(shop.app)
    shop.update(Update(order=order))
    (new,) = shop.starting()
    assert (new.node, bool(new.replaces)) == (old.node, replaces)
    assert (shop.world.lease(old.id).state is LeaseState.CLOSED) is not replaces


def test_start_first_on_a_node_without_room_for_two_goes_elsewhere() -> None:
    shop = Shop(nodes=2, instances=1)
    (old,) = shop.world.open(shop.app)
    shop.update(Update(order="start-first"), cpu_milli=3_500)
    shop.world.block()
    (new,) = shop.starting()
    assert (new.node != old.node, new.replaces) == (True, old.id)
    assert shop.finish() is DONE


@pytest.mark.parametrize("reason", [FailReason.START, FailReason.UNHEALTHY, FailReason.IMAGE_PULL, FailReason.NO_SEED])
def test_a_step_that_fails_brings_everything_back_by_itself(reason: FailReason) -> None:
    shop = Shop()
    shop.update(Update(monitor_seconds=2))
    shop.confirm()
    shop.pass_time(3)
    (second,) = shop.starting()
    shop.fail(second, reason)
    shop.world.block()
    (elsewhere,) = shop.starting()
    shop.fail(elsewhere)
    assert (shop.state, shop.current) == (ROLLING_BACK, 1)
    assert shop.finish() is FAILED
    assert (shop.revisions, shop.current, shop.rollout.failures) == ([1, 1, 1], 1, 2)
    words = reason.name.lower().replace("_", " ")
    first = f"instance 1 on node {second.node}: start failed, {words}: exit 1"
    assert shop.rollout.reason == f"{first}; instance 1 on node {elsewhere.node}: start failed, start: exit 1"
    came_back = [lease for lease in shop.world.leases(shop.app) if lease.reason is CloseReason.ROLLED_BACK]
    assert [lease.revision for lease in came_back] == [2]


def test_the_way_back_has_the_same_gates() -> None:
    shop = Shop()
    shop.update(Update(monitor_seconds=0, parallelism=3))
    (first, second, third) = shop.starting()
    shop.world.confirm(first)
    shop.world.confirm(second)
    shop.fail(third)
    shop.fail_again()
    assert (shop.state, len(shop.starting())) == (ROLLING_BACK, 1)
    shop.confirm()
    shop.pass_time(9)
    assert shop.starting() == []
    assert shop.finish() is FAILED
    assert shop.revisions == [1, 1, 1]


def test_a_crash_while_it_is_watched_is_a_failure_and_the_old_revision_starts_on_the_same_node() -> None:
    shop = Shop(nodes=4, of=spec(volumes=DATA))
    shop.update(Update(monitor_seconds=10), volumes=DATA)
    (new,) = shop.starting()
    shop.confirm()
    shop.pass_time(10)
    shop.fail(shop.world.lease(new.id), FailReason.CRASH_LOOP)
    (back,) = shop.starting()
    assert (shop.state, back.node, back.revision, back.ordinal) == (ROLLING_BACK, new.node, 1, new.ordinal)
    assert shop.finish() is FAILED
    assert {lease.node for lease in shop.world.open(shop.app)} == {1, 2, 3}


def test_a_crash_after_the_watch_is_over_is_no_failure_of_the_rollout() -> None:
    shop = Shop()
    shop.update(Update(monitor_seconds=2))
    (new,) = shop.starting()
    shop.confirm()
    shop.pass_time(3)
    shop.fail(shop.world.lease(new.id), FailReason.CRASH_LOOP)
    assert (shop.state, shop.current) == (ROLLING, 2)
    assert shop.finish() is DONE


def test_silence_past_the_start_deadline_is_a_failure() -> None:
    shop = Shop()
    shop.update()
    for _ in range(2):
        shop.world.block(seconds=shop.world.params.market.start_deadline)
        shop.world.block()
    assert (shop.state, shop.current) == (FAILED, 1)
    assert "start timeout" in shop.rollout.reason


def test_pause_leaves_everything_as_it_is_until_the_owner_decides() -> None:
    shop = Shop()
    shop.update(Update(monitor_seconds=0, on_failure="pause"))
    shop.confirm()
    shop.fail(shop.starting()[0])
    shop.fail_again()
    shop.pass_time(200)
    assert (shop.state, shop.revisions, shop.current) == (PAUSED, [2, 1, 1], 2)
    shop.update(Update(monitor_seconds=0))
    assert shop.finish() is DONE
    assert shop.revisions == [3, 3, 3]


def test_continue_brings_the_others_and_says_that_it_failed() -> None:
    shop = Shop()
    shop.update(Update(monitor_seconds=0, on_failure="continue"))
    shop.fail(shop.starting()[0])
    assert shop.finish() is FAILED
    assert (shop.revisions, shop.current, shop.rollout.failures) == ([1, 2, 2], 2, 1)
    shop.world.block(seconds=shop.world.params.market.exclusion)
    shop.pass_time(2)
    shop.confirm()
    shop.pass_time(1)
    assert (shop.state, shop.revisions) == (DONE, [2, 2, 2])


def test_a_way_back_that_fails_too_pauses_and_says_so() -> None:
    shop = Shop()
    shop.update(Update(monitor_seconds=0, parallelism=2))
    first, second = shop.starting()
    shop.world.confirm(first)
    shop.fail(second)
    shop.fail_again()
    (back,) = shop.starting()
    shop.fail(back)
    shop.fail_again()
    shop.pass_time(200)
    assert (shop.state, shop.current) == (PAUSED, 1)
    assert "going back failed too" in shop.rollout.reason
    assert shop.revisions == [2, 1, 1]


def test_a_node_that_is_lost_or_has_no_room_does_not_speak_against_the_revision() -> None:
    shop = Shop(nodes=5)
    shop.update(Update(monitor_seconds=0))
    (new,) = shop.starting()
    shop.fail(new, FailReason.NO_RESOURCES)
    assert (shop.state, shop.rollout.failures) == (ROLLING, 0)
    assert shop.finish() is DONE
    (moved,) = [lease for lease in shop.world.open(shop.app) if lease.ordinal == new.ordinal]
    assert moved.node != new.node


def test_a_node_that_leaves_during_an_update_does_not_speak_against_the_revision() -> None:
    shop = Shop(nodes=5)
    shop.update(Update(monitor_seconds=3))
    (new,) = shop.starting()
    shop.world.send(account(f"operator {new.node}"), shop.world.nodes.leave, new.node)
    assert shop.finish() is DONE
    assert shop.rollout.failures == 0


def test_a_revision_that_nothing_better_ran_before_is_tried_on_every_node() -> None:
    shop = Shop(nodes=2, instances=1)
    world = shop.world
    app = world.deploy("other")
    world.block()
    (lease,) = world.open(app)
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.START, "")
    other = account("tenant other")
    world.send(other, world.apps.update, app, U16(1), encode_spec(spec(component(cpu_milli=300))), b"")
    world.block()
    (lease,) = world.open(app)
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.START, "")
    world.block()
    (retried,) = world.open(app)
    assert (retried.node != lease.node, retried.revision) == (True, 2)
    rollout = world.market.rollout(world.world.context(other), app)
    assert (rollout.state, rollout.source, rollout.failures) == (ROLLING, 0, 1)


def test_an_update_during_a_rollout_still_falls_back_to_the_last_good_revision() -> None:
    shop = Shop()
    shop.update(Update(monitor_seconds=5))
    shop.confirm()
    shop.update(Update(monitor_seconds=5))
    assert (shop.rollout.source, shop.rollout.target) == (1, 3)
    shop.fail(shop.starting()[0])
    shop.fail_again()
    assert shop.finish() is FAILED
    assert (shop.revisions, shop.current) == ([1, 1, 1], 1)


def test_no_number_is_used_twice_after_going_back() -> None:
    shop = Shop()
    shop.update(Update(monitor_seconds=0))
    shop.fail(shop.starting()[0])
    shop.fail_again()
    assert shop.state is FAILED
    shop.update(Update(monitor_seconds=0))
    assert (shop.current, shop.rollout.source) == (3, 1)
    assert shop.finish() is DONE


def test_the_owner_goes_back_to_any_kept_revision_and_forward_again() -> None:
    shop = Shop()
    for _ in range(2):
        shop.update(Update(monitor_seconds=0))
        assert shop.finish() is DONE
    for wanted in (1, 3, 2):
        shop.rollback(wanted)
        assert shop.finish() is DONE
        assert (shop.revisions, shop.current) == ([wanted] * 3, wanted)
    with pytest.raises(RevisionIsCurrent):
        shop.rollback(2)
    with pytest.raises(UnknownRevision):
        shop.rollback(4)
    with pytest.raises(NotOwner):
        shop.world.send(account("x"), shop.world.apps.rollback, shop.app, Revision(U32(1)))


def test_the_owner_turns_a_rollout_back_and_a_failure_of_that_pauses() -> None:
    shop = Shop()
    shop.update(Update(monitor_seconds=0))
    shop.confirm()
    shop.rollback(1)
    assert (shop.state, shop.rollout.source, shop.rollout.target) == (ROLLING, 1, 1)
    (back,) = shop.starting()
    shop.fail(back)
    shop.fail_again()
    assert (shop.state, shop.current, shop.revisions) == (PAUSED, 1, [2, 1, 1])


def test_the_revision_to_go_back_to_is_kept_however_many_follow() -> None:
    shop = Shop()
    kept = shop.world.params.apps.revisions_kept
    for _ in range(kept + 3):
        shop.update(Update(monitor_seconds=50))
    known = [item.revision for item in shop.world.apps.revisions(shop.world.world.context(OWNER), shop.app)]
    assert known == [1, *range(5, kept + 5)]
    shop.rollback(1)
    assert shop.finish() is DONE


def test_a_rollout_that_finds_no_node_fails_in_the_end_and_goes_back() -> None:
    shop = Shop(nodes=3)
    shop.update(Update(monitor_seconds=0), cpu_milli=14_000)
    assert shop.state is ROLLING
    shop.pass_time(shop.world.params.market.rollout_deadline + 5)
    assert (shop.state, shop.current, shop.revisions) == (FAILED, 1, [1, 1, 1])
    assert "no instance came to revision 2" in shop.rollout.reason


def test_no_time_passes_for_a_rollout_while_the_chain_makes_no_blocks() -> None:
    shop = Shop(nodes=3)
    shop.update(Update(monitor_seconds=0), cpu_milli=14_000)
    shop.pass_time(10)
    shop.world.halt(100 * shop.world.params.market.rollout_deadline)
    shop.pass_time(shop.world.params.market.rollout_deadline - 15)
    assert shop.state is ROLLING
    shop.pass_time(15)
    assert shop.state is FAILED


def test_a_rollout_that_stands_still_half_way_brings_back_what_came_already() -> None:
    shop = Shop(nodes=3)
    world, last = shop.world, shop.world.open(shop.app)[2]
    smaller = hardware(1_000, 8_192, 300_000)
    world.send(account(f"operator {last.node}"), world.nodes.set_hardware, last.node, smaller)
    shop.update(Update(monitor_seconds=0), cpu_milli=1_500)
    shop.pass_time(1)
    shop.confirm()
    shop.confirm()
    assert (shop.revisions, shop.state) == ([2, 2, 1], ROLLING)
    shop.pass_time(world.params.market.rollout_deadline + 3)
    assert shop.state is ROLLING_BACK
    assert shop.finish() is FAILED
    assert shop.revisions == [1, 1, 1]


def test_an_instance_with_volumes_never_leaves_them_for_an_update() -> None:
    shop = Shop(nodes=4, of=spec(volumes=DATA))
    nodes = [lease.node for lease in shop.world.open(shop.app)]
    shop.update(volumes=DATA, cpu_milli=14_000)
    assert (shop.state, shop.current) == (FAILED, 1)
    assert "its volumes are on node 1, which cannot run revision 2 (cpu)" in shop.rollout.reason
    assert [lease.node for lease in shop.world.open(shop.app)] == nodes


def test_continue_leaves_what_cannot_leave_its_volumes_and_brings_the_others() -> None:
    shop = Shop(nodes=3, of=spec(volumes=DATA))
    world, first = shop.world, shop.world.open(shop.app)[0]
    smaller = hardware(1_000, 8_192, 300_000)
    world.send(account(f"operator {first.node}"), world.nodes.set_hardware, first.node, smaller)
    shop.update(Update(monitor_seconds=0, on_failure="continue"), volumes=DATA, cpu_milli=1_500)
    assert shop.finish() is FAILED
    assert (shop.revisions, shop.rollout.failures) == ([1, 2, 2], 1)


def test_a_node_that_raised_its_price_keeps_an_instance_that_stays_below_the_limit() -> None:
    shop = Shop(nodes=2, instances=1)
    world, (old,) = shop.world, shop.world.open(shop.app)
    limit = old.rate * 3600 // 10**9 + 1_000
    dear = Ask(U64(10**9), U64(10**9), U64(10**6), U64(0))
    world.send(account(f"operator {old.node}"), world.nodes.set_ask, old.node, dear)
    newer = spec(component(working_dir="/srv"), constraints=Constraints(max_price_gwei_hour=limit))
    shop.send(world.apps.update, U16(1), encode_spec(newer), b"")
    (new,) = shop.starting()
    assert (new.node, new.rate) == (old.node, old.rate)


def test_a_paused_app_goes_on_with_its_rollout_when_it_is_resumed() -> None:
    shop = Shop()
    shop.update(Update(monitor_seconds=3))
    shop.send(shop.world.apps.pause)
    shop.pass_time(shop.world.params.market.rollout_deadline * 2)
    assert shop.state is ROLLING
    shop.send(shop.world.apps.resume)
    assert shop.finish() is DONE
    assert shop.revisions == [2, 2, 2]


def test_scaling_during_a_rollout_is_part_of_it() -> None:
    shop = Shop(nodes=5)
    shop.update(Update(monitor_seconds=0))
    shop.send(shop.world.apps.scale, U16(5))
    assert shop.finish() is DONE
    assert shop.revisions == [2] * 5


def test_a_removed_app_leaves_no_rollout() -> None:
    shop = Shop()
    shop.update()
    shop.send(shop.world.apps.remove)
    shop.pass_time(30)
    assert shop.state is RolloutState.NONE
    assert shop.world.apps.revisions(shop.world.world.context(OWNER), shop.app) == []
