"""One node that fails a revision may lie or be broken: another operator's has to confirm it before it counts.

`ProtocolWorld.block` checks every invariant after each block.
"""

import pytest

from flux.contracts.apps.types import Revision, Update
from flux.contracts.market.rollout_types import RolloutDoubted
from flux.contracts.market.types import FailReason
from flux.primitives.types import U16, U32
from support.contract_lab import spec
from support.rollout_lab import DATA, DONE, FAILED, PAUSED, ROLLING, ROLLING_BACK, Shop

QUICK = Update(monitor_seconds=0)


def test_an_update_comes_in_although_one_node_says_that_it_fails() -> None:
    shop = Shop(nodes=5)
    shop.update(QUICK)
    (doubted,) = shop.starting()
    shop.fail(doubted)
    assert (shop.state, shop.current, shop.rollout.failed_on) == (ROLLING, 2, (doubted.node,))
    assert shop.finish() is DONE
    assert (shop.revisions, shop.rollout.failures) == ([2, 2, 2], 1)
    assert doubted.node not in [lease.node for lease in shop.world.open(shop.app)]


def test_the_old_instance_runs_until_the_new_one_runs_elsewhere() -> None:
    shop = Shop(nodes=5)
    (old, *_) = shop.world.open(shop.app)
    shop.update(QUICK)
    shop.fail(shop.starting()[0])
    shop.world.block()
    (elsewhere,) = shop.starting()
    assert (elsewhere.ordinal, elsewhere.replaces, shop.revisions) == (0, old.id, [1, 1, 1])


def test_a_node_that_is_silent_or_lets_an_instance_crash_is_not_believed_alone_either() -> None:
    shop = Shop(nodes=5)
    shop.update(Update(monitor_seconds=5))
    shop.world.block(seconds=shop.world.params.market.start_deadline)
    shop.world.block()
    assert (shop.state, len(shop.rollout.failed_on)) == (ROLLING, 1)
    assert shop.finish() is DONE
    shop.update(Update(monitor_seconds=5))
    (crashes,) = shop.starting()
    shop.confirm()
    shop.world.block()
    shop.fail(shop.world.lease(crashes.id), FailReason.CRASH_LOOP)
    assert (shop.state, shop.rollout.failed_on) == (ROLLING, (crashes.node,))
    assert shop.finish() is DONE
    assert shop.revisions == [3, 3, 3]


def test_the_way_back_is_not_stopped_by_one_node_either() -> None:
    shop = Shop(nodes=6)
    shop.update(Update(monitor_seconds=0, parallelism=2))
    first, second = shop.starting()
    shop.world.confirm(first)
    shop.fail(second)
    shop.fail_again()
    assert shop.state is ROLLING_BACK
    shop.fail(shop.starting()[0])
    assert shop.state is ROLLING_BACK
    assert shop.finish() is FAILED
    assert shop.revisions == [1, 1, 1]


def test_nodes_of_the_same_operator_confirm_nothing_until_there_are_three() -> None:
    shop = Shop(nodes=5, instances=1, operators=["one"] * 5)
    shop.update(QUICK)
    for failures in (1, 2):
        shop.fail(shop.starting()[0])
        assert (shop.state, len(shop.rollout.failed_on)) == (ROLLING, failures)
        shop.world.block()
    shop.fail(shop.starting()[0])
    assert shop.finish() is FAILED
    assert (shop.revisions, shop.rollout.failures) == ([1], 3)


def test_another_instance_of_the_app_can_confirm_it_where_no_further_node_is_free() -> None:
    shop = Shop(nodes=3)
    shop.update(QUICK)
    shop.fail(shop.starting()[0])
    shop.pass_time(2)
    (next_one,) = shop.starting()
    assert (shop.state, next_one.ordinal) == (ROLLING, 1)
    shop.fail(next_one)
    assert shop.finish() is FAILED
    assert shop.revisions == [1, 1, 1]


def test_where_the_others_run_it_the_node_is_at_fault_and_only_its_instance_stays_behind() -> None:
    shop = Shop(nodes=3)
    shop.update(QUICK)
    shop.fail(shop.starting()[0])
    assert shop.finish() is FAILED
    assert (shop.revisions, shop.current) == ([1, 2, 2], 2)
    shop.world.node(4)
    shop.world.block()
    shop.confirm()
    shop.pass_time(2)
    assert (shop.state, shop.revisions) == (DONE, [2, 2, 2])


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
@pytest.mark.parametrize(("on_failure", "ends"), [("rollback", FAILED), ("pause", PAUSED)])
def test_where_only_one_node_fits_its_word_decides_in_the_end(order: str, on_failure: str, ends: object) -> None:
    shop = Shop(nodes=1, instances=1)
    shop.update(Update(order=order, on_failure=on_failure))
    shop.fail(shop.starting()[0])
    shop.pass_time(5)
    shop.confirm()
    shop.pass_time(30)
    assert shop.state is ends
    assert "no node of another operator can try it" in shop.rollout.reason
    if ends is FAILED:
        assert (shop.revisions, shop.current) == ([1], 1)


def test_an_instance_that_is_down_and_finds_no_other_node_brings_everything_back() -> None:
    shop = Shop(nodes=2, instances=2)
    shop.update(Update(monitor_seconds=0, order="stop-first"))
    shop.confirm()
    shop.pass_time(1)
    shop.fail(shop.starting()[0])
    assert shop.finish() is FAILED
    assert (shop.revisions, shop.current) == ([1, 1], 1)


def test_data_keeps_an_instance_where_it_is_so_that_its_node_decides_alone() -> None:
    shop = Shop(nodes=4, of=spec(volumes=DATA))
    shop.update(QUICK, volumes=DATA)
    (failed,) = shop.starting()
    shop.fail(failed)
    assert (shop.state, shop.current) == (ROLLING_BACK, 1)
    assert [lease.node for lease in shop.starting()] == [failed.node]
    assert shop.finish() is FAILED


def test_each_doubt_is_told_and_held_against_the_node_once_another_runs_it() -> None:
    shop = Shop(nodes=5)
    shop.update(QUICK)
    (doubted,) = shop.starting()
    shop.fail(doubted)
    assert shop.world.emitted(RolloutDoubted(shop.app, doubted.node, Revision(U32(2)), shop.rollout.reason))
    assert shop.world.probes.conducts.of(doubted.node).starts == 0
    shop.world.block()
    shop.confirm()
    assert shop.world.probes.conducts.of(doubted.node).starts > 0


def test_scaling_while_a_step_is_doubted_brings_all_instances() -> None:
    shop = Shop(nodes=6, instances=2)
    world = shop.world
    shop.update(QUICK)
    shop.fail(shop.starting()[0])
    shop.send(world.apps.scale, U16(4))
    assert shop.finish() is DONE
    assert shop.revisions == [2] * 4
