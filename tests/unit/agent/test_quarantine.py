"""When a volume is deleted, and above all when it is not."""

from dataclasses import replace

import pytest

from flux.agent.quarantine import HELD, WATCH, Moment, Sighting, judge
from flux.contracts.market.types import CloseReason, Lease, LeaseState
from flux.primitives.types import U16, U32, U64
from flux.runtime.labels import VolumeKey
from support.leases import make_lease

WEEK = 7 * 86_400
CLOSED_AT = 1_000_000
OWNER = VolumeKey(make_lease().node, make_lease().app, make_lease().ordinal)
LONG_WATCHED = Sighting(CLOSED_AT, WATCH)


def closed(number: int = 7, at: int = CLOSED_AT, reason: CloseReason = CloseReason.REMOVED) -> Lease:
    return make_lease(number, LeaseState.CLOSED).but(closed_at=U64(at), reason=reason)


def moment(since_closed: float, passed: float = 60.0, *, behind: float = 0.0) -> Moment:
    """So long after the lease closed; chain time began when Unix time was 5,000,000."""
    chain_now = int(CLOSED_AT + since_closed)
    return Moment(chain_now, 5_000_000 + chain_now, 5_000_000 + chain_now + behind, passed, WEEK)


@pytest.mark.parametrize("state", [LeaseState.ASSIGNED, LeaseState.RUNNING, LeaseState.SUSPECT])
def test_a_volume_of_an_open_lease_is_held_however_long_others_are_closed(state: LeaseState) -> None:
    assert judge(OWNER, [make_lease(9, state), closed()], LONG_WATCHED, moment(10 * WEEK)) == HELD


def test_a_volume_goes_when_the_quarantine_is_over_and_was_watched() -> None:
    assert not judge(OWNER, [closed()], LONG_WATCHED, moment(WEEK - 1)).delete
    assert judge(OWNER, [closed()], LONG_WATCHED, moment(WEEK)).delete


@pytest.mark.parametrize("reason", [CloseReason.PAUSED, CloseReason.DEPLETED, CloseReason.UNREACHABLE])
def test_a_paused_or_lost_app_has_the_same_seven_days(reason: CloseReason) -> None:
    verdict = judge(OWNER, [closed(reason=reason)], LONG_WATCHED, moment(WEEK - 1))
    assert not verdict.delete
    assert verdict.delete_at(WEEK) == CLOSED_AT + WEEK


def test_an_instance_that_comes_back_has_its_volume_and_the_next_quarantine_begins_anew() -> None:
    assert judge(OWNER, [closed(), make_lease(8)], LONG_WATCHED, moment(WEEK)) == HELD
    again = judge(OWNER, [closed(8, CLOSED_AT + WEEK), closed()], LONG_WATCHED, moment(WEEK + 1))
    assert again.sighting == Sighting(CLOSED_AT + WEEK)
    assert not again.delete


def test_leases_of_other_instances_and_other_nodes_say_nothing() -> None:
    elsewhere = make_lease(9).but(node=U32(4))
    other = make_lease(10).but(ordinal=U16(1))
    assert judge(OWNER, [elsewhere, other, closed()], LONG_WATCHED, moment(WEEK)).delete


def test_the_time_of_closing_is_the_chains_also_after_a_restart_of_the_agent() -> None:
    assert judge(OWNER, [closed()], None, moment(3 * 86_400)).sighting == Sighting(CLOSED_AT)


def test_a_lease_that_the_chain_forgot_counts_from_when_it_was_first_seen_so() -> None:
    first = judge(OWNER, [], None, moment(50 * WEEK))
    assert first.sighting == Sighting(int(CLOSED_AT + 50 * WEEK))
    assert not first.delete
    watched = Sighting(CLOSED_AT + 50 * WEEK, WATCH)
    assert not judge(OWNER, [], watched, moment(51 * WEEK - 1)).delete
    assert judge(OWNER, [], watched, moment(51 * WEEK)).delete


def test_what_an_endpoint_says_for_a_moment_deletes_nothing() -> None:
    noted: Sighting | None = None
    looks = 0
    while not (verdict := judge(OWNER, [closed()], noted, moment(10 * WEEK))).delete:
        noted, looks = verdict.sighting, looks + 1
    assert looks >= WATCH / 60
    assert judge(OWNER, [make_lease(8), closed()], noted, moment(10 * WEEK)) == HELD, "one true answer ends it"


@pytest.mark.parametrize("behind", [-86_400.0 * 365, -601.0, 601.0, 86_400.0 * 365])
def test_nothing_goes_while_the_chain_and_this_machines_clock_differ(behind: float) -> None:
    verdict = judge(OWNER, [closed()], Sighting(CLOSED_AT, 10.0), moment(WEEK, behind=behind))
    assert verdict.sighting == Sighting(CLOSED_AT, 10.0), "and no time is counted"
    assert not judge(OWNER, [closed()], LONG_WATCHED, moment(WEEK, behind=behind)).delete


@pytest.mark.parametrize(("passed", "counted"), [(-5.0, 0.0), (0.0, 0.0), (60.0, 60.0), (1e9, 300.0)])
def test_a_machine_that_slept_has_not_watched(passed: float, counted: float) -> None:
    verdict = judge(OWNER, [closed()], Sighting(CLOSED_AT), moment(WEEK, passed))
    assert verdict.sighting == Sighting(CLOSED_AT, counted)
    assert not verdict.delete


def test_a_chain_clock_that_went_back_keeps_the_volume() -> None:
    assert not judge(OWNER, [closed()], LONG_WATCHED, moment(-WEEK)).delete


def test_a_short_quarantine_is_watched_no_longer_than_it_lasts() -> None:
    short = replace(moment(10), grace=10)
    assert judge(OWNER, [closed()], Sighting(CLOSED_AT, 10.0), short).delete
