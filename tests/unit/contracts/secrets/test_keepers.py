"""Who keeps shares of a seed is drawn, two operators must agree on a sharing, and the loss of keepers is noticed."""

from collections.abc import Callable
from typing import Any

import pytest

from flux.contracts.apps.types import AppId, NotOwner, Revision, UnknownApp, encode_spec
from flux.contracts.market.types import CloseReason
from flux.contracts.nodes.types import NodeId, NodeStatus
from flux.contracts.secrets import rules
from flux.contracts.secrets.types import (
    AlreadyShared,
    Generation,
    InvalidSharing,
    KeepersLow,
    Keeping,
    MayShareNot,
    NoPrivateHalf,
    Seat,
    SeedShared,
    SharedSeed,
    SharedTooSoon,
    Sharing,
    Vote,
    Votes,
    WrongGeneration,
)
from flux.contracts.staking.types import PartsPerMillion
from flux.kernel.revert_data import encode_error
from flux.primitives.types import U8, U16, U32, U64, Address, Hash
from flux.specs.keepers import share_out
from support.contract_lab import FLUX, Lab, account, endpoint, spec

OWNER, STRANGER = account("owner"), account("stranger")
PRIVATE = encode_spec(spec(private=True))
NODES = [f"n{number}" for number in range(1, 13)]
ONE, FIRST = AppId(U64(1)), Revision(U32(1))
SEED, LIE = b"s" * 16, b"l" * 16


def agent(number: int) -> Address:
    """The agent of a node; nodes 1, 2 and 3 hold the leases of the same number."""
    return account(f"n{number} agent")


@pytest.fixture
def lab() -> Lab:
    """A private app on the first three of twelve nodes, of as many operators."""
    lab = Lab()
    lab.fund(OWNER, 1000)
    for name in NODES:
        lab.join(name)
    lab.send(OWNER, FLUX, lab.apps.deploy, "shop", U16(3), PRIVATE, b"ciphertext")
    for lease in (1, 2, 3):
        lab.market.confirm(lab.context(), lease)
    return lab


def standing(lab: Lab) -> Sharing:
    return lab.secrets.sharing(lab.context(), ONE, FIRST)


def keeping(lab: Lab) -> Keeping:
    return lab.secrets.keepers(lab.context(), ONE, FIRST)


def sharing(lab: Lab, seed: bytes = SEED, ahead: int = 1) -> SharedSeed:
    """What the next generation of a seed is now."""
    status = standing(lab)
    generation = Generation(U32(status.generation + ahead))
    return share_out(seed, ONE, FIRST, generation, status.next_threshold, status.seats)


def share(lab: Lab, sender: Address, shared: SharedSeed | None = None, app: AppId = ONE) -> None:
    lab.send(sender, 0, lab.secrets.share, app, FIRST, shared or sharing(lab))


def share_first(lab: Lab) -> None:
    """Two lease holders agree."""
    share(lab, agent(1))
    share(lab, agent(2))


def lose(lab: Lab, node: NodeId) -> None:
    lab.nodes.suspend(lab.context(), node, "gone")


def test_the_room_is_there_from_the_start_and_a_first_sharing_takes_no_more(lab: Lab) -> None:
    assert (standing(lab).generation, standing(lab).keepers, standing(lab).is_due) == (0, 0, True)
    before = len(str(lab.world.dump()))
    share_first(lab)
    assert len(str(lab.world.dump())) <= before + 64
    lab.check()


def test_two_operators_that_agree_make_a_sharing_hold(lab: Lab) -> None:
    expected = sharing(lab)
    share(lab, agent(1))
    assert standing(lab).generation == 0
    assert standing(lab).voted == (1,)
    share(lab, agent(2))
    assert keeping(lab).shared == expected
    assert lab.world.emitted(lab.secrets, SeedShared(ONE, FIRST, Generation(U32(1)), U8(7), U8(3)))
    assert (standing(lab).left, standing(lab).is_due) == (7, False)
    lab.check()


def test_a_lie_needs_a_second_liar(lab: Lab) -> None:
    share(lab, agent(1), sharing(lab, LIE))
    share(lab, agent(2))
    assert standing(lab).generation == 0
    share(lab, agent(3))
    assert keeping(lab).shared == share_out(SEED, ONE, FIRST, Generation(U32(1)), U8(3), [
        rules.seat_of(keeper) for keeper in keeping(lab).shared.keepers
    ])  # fmt: skip
    lab.check()


def test_the_only_operator_that_runs_it_decides_alone(lab: Lab) -> None:
    for lease in (2, 3):
        lab.market.close(lab.context(), lease, CloseReason.CRASHED)
    share(lab, agent(1))
    assert standing(lab).generation == 1


def test_an_instance_that_still_starts_is_waited_for(lab: Lab) -> None:
    lab.send(OWNER, FLUX, lab.apps.deploy, "two", U16(2), PRIVATE, b"ciphertext")
    two = AppId(U64(2))
    lab.market.confirm(lab.context(), lab.market.open_leases(two)[0].id)
    status = lab.secrets.sharing(lab.context(), two, FIRST)
    shared = share_out(SEED, two, FIRST, Generation(U32(1)), status.next_threshold, status.seats)
    lab.send(agent(1), 0, lab.secrets.share, two, FIRST, shared)
    assert lab.secrets.sharing(lab.context(), two, FIRST).generation == 0


def test_the_owner_decides_alone_and_again(lab: Lab) -> None:
    share(lab, agent(1), sharing(lab, LIE))
    for generation in (1, 2):
        lab.send(OWNER, 0, lab.secrets.keep, ONE, FIRST, sharing(lab))
        assert standing(lab).generation == generation
    lab.check()


@pytest.mark.parametrize("sender", [STRANGER, agent(1), account("n1 operator")])
def test_nobody_else_keeps_in_the_owners_name(lab: Lab, sender: Address) -> None:
    with pytest.raises(NotOwner):
        lab.send(sender, 0, lab.secrets.keep, ONE, FIRST, sharing(lab))


@pytest.mark.parametrize("sender", [STRANGER, OWNER, agent(4), account("n1 operator")])
def test_who_does_not_run_the_revision_shares_nothing(lab: Lab, sender: Address) -> None:
    with pytest.raises(MayShareNot):
        share(lab, sender)


def test_a_lease_that_never_ran_or_is_closed_shares_nothing(lab: Lab) -> None:
    lab.market.close(lab.context(), 1, CloseReason.CRASHED)
    with pytest.raises(MayShareNot):
        share(lab, agent(1))
    lab.market.app_changed(lab.context(), ONE)
    assert lab.market.open_leases(1)[-1].node == 1
    with pytest.raises(MayShareNot):
        share(lab, agent(1))


def test_a_node_speaks_once_for_each_draw(lab: Lab) -> None:
    share(lab, agent(1))
    with pytest.raises(AlreadyShared):
        share(lab, agent(1), sharing(lab, LIE))
    lab.epochs.number += 1
    share(lab, agent(1))
    assert standing(lab).voted == (1,)
    lab.check()


def test_votes_of_another_epoch_or_of_a_lost_lease_do_not_count(lab: Lab) -> None:
    share(lab, agent(1))
    lab.epochs.number += 1
    share(lab, agent(2))
    assert standing(lab).generation == 0
    lab.market.close(lab.context(), 2, CloseReason.CRASHED)
    share(lab, agent(3))
    assert standing(lab).generation == 0


MISTAKES: dict[str, tuple[Callable[[SharedSeed], SharedSeed], type[Exception]]] = {
    "the generation before": (lambda it: it.but(generation=Generation(U32(0))), WrongGeneration),
    "a generation too early": (lambda it: it.but(generation=Generation(U32(2))), WrongGeneration),
    "another threshold": (lambda it: it.but(threshold=U8(1)), InvalidSharing),
    "a keeper missing": (lambda it: it.but(keepers=it.keepers[1:]), InvalidSharing),
    "keepers in another order": (lambda it: it.but(keepers=it.keepers[::-1]), InvalidSharing),
    "a keeper of one's choice": (lambda it: it.but(keepers=(it.keepers[0].but(node=NodeId(U32(1))), *it.keepers[1:])),
                                 InvalidSharing),
    "a key of one's choice": (lambda it: it.but(keepers=(it.keepers[0].but(key=Hash(b"k" * 32)), *it.keepers[1:])),
                              InvalidSharing),
    "a box too long": (lambda it: it.but(keepers=(it.keepers[0].but(box=b"b" * 65), *it.keepers[1:])), InvalidSharing),
    "nobody": (lambda it: it.but(keepers=()), InvalidSharing),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_the_next_sharing_is_refused(lab: Lab, mistake: str) -> None:
    change, error = MISTAKES[mistake]
    shared, before = change(sharing(lab)), lab.world.dump()
    for sender, method in ((agent(1), lab.secrets.share), (OWNER, lab.secrets.keep)):
        with pytest.raises(error) as caught:
            lab.send(sender, 0, method, ONE, FIRST, shared)
        assert encode_error(caught.value)  # type: ignore[arg-type]
    assert lab.world.dump() == before


def test_an_app_or_revision_without_private_half_has_no_keepers(lab: Lab) -> None:
    public = lab.deploy(OWNER, 1000, name="public")
    for app, revision in ((public, FIRST), (ONE, Revision(U32(2)))):
        for method, sender in ((lab.secrets.share, agent(1)), (lab.secrets.keep, OWNER)):
            with pytest.raises(NoPrivateHalf):
                lab.send(sender, 0, method, app, revision, sharing(lab))
        with pytest.raises(NoPrivateHalf):
            lab.secrets.sharing(lab.context(), app, revision)
        with pytest.raises(NoPrivateHalf):
            lab.secrets.keepers(lab.context(), app, revision)
    with pytest.raises(UnknownApp):
        share(lab, agent(1), app=AppId(U64(9)))


def test_keepers_do_not_run_the_app_while_others_are_there(lab: Lab) -> None:
    seats = {seat.node for seat in standing(lab).seats}
    assert len(seats) == 7
    assert not seats & {1, 2, 3}


def test_each_epoch_app_and_generation_draws_others(lab: Lab) -> None:
    lab.send(OWNER, FLUX, lab.apps.deploy, "two", U16(3), PRIVATE, b"ciphertext")
    other = lab.secrets.sharing(lab.context(), AppId(U64(2)), FIRST).seats
    first = standing(lab).seats
    lab.epochs.number += 1
    second = standing(lab).seats
    share_first(lab)
    assert len({first, second, standing(lab).seats, other}) == 4


def test_nodes_share_anew_once_an_interval_has_passed(lab: Lab) -> None:
    share_first(lab)
    with pytest.raises(SharedTooSoon):
        share(lab, agent(1))
    lab.advance(int(lab.params.secrets.keeper_interval))
    share_first(lab)
    assert standing(lab).generation == 2


def test_a_lost_keeper_makes_it_due_and_too_many_make_it_urgent(lab: Lab) -> None:
    share_first(lab)
    keepers = [keeper.node for keeper in keeping(lab).shared.keepers]
    lose(lab, keepers[0])
    assert (standing(lab).left, standing(lab).is_due) == (6, True)
    with pytest.raises(SharedTooSoon):
        share(lab, agent(1))
    for node in keepers[1:4]:
        lose(lab, node)
    assert standing(lab).left == 3
    share_first(lab)
    assert standing(lab).generation == 2
    assert not {keeper.node for keeper in keeping(lab).shared.keepers} & set(keepers[:4])


def test_keepers_that_leave_change_their_key_or_are_slashed_are_lost(lab: Lab) -> None:
    share_first(lab)
    leaves, changes, slashed = (keeper.node for keeper in keeping(lab).shared.keepers[:3])
    lab.send(account(f"n{leaves} operator"), 0, lab.nodes.leave, leaves)
    lab.send(account(f"n{changes} operator"), 0, lab.nodes.set_endpoint, changes,
             endpoint(seal_key=Hash(b"\x33" * 32)))  # fmt: skip
    assert standing(lab).left == 5
    lab.advance(1)
    part = PartsPerMillion(U32(1))
    lab.staking.slash(lab.context(), slashed, part, lab.context().now, "it lied")
    record = lab.nodes.find(slashed)
    assert record is not None
    assert standing(lab).left == 4
    assert slashed not in {seat.node for seat in standing(lab).seats}


def test_keepers_that_came_to_run_the_app_are_replaced(lab: Lab) -> None:
    share_first(lab)
    others = [keeper.node for keeper in keeping(lab).shared.keepers][1:]
    for lease, node in zip((1, 2, 3), others, strict=False):
        lab.market.leases[lease] = lab.market.leases[lease].but(node=node)
    assert not standing(lab).is_due, "four live without the app"
    lab.send(OWNER, 0, lab.apps.scale, ONE, U16(5))
    for lease, node in zip((4, 5), others[3:], strict=False):
        lab.market.leases[lease] = lab.market.leases[lease].but(node=node)
    assert (standing(lab).left, standing(lab).is_due) == (7, True)
    assert not {seat.node for seat in standing(lab).seats} & set(others[:5])


def test_it_alarms_once_when_one_more_loss_is_too_many(lab: Lab) -> None:
    share_first(lab)
    keepers = [keeper.node for keeper in keeping(lab).shared.keepers]
    for node in keepers[:4]:
        lose(lab, node)
    assert not keeping(lab).low
    lab.advance(int(lab.params.secrets.keeper_interval))
    alarm = KeepersLow(ONE, FIRST, U8(3), U8(3))
    assert lab.world.emitted(lab.secrets, alarm)
    assert keeping(lab).low
    logs = len(lab.world.logs)
    lab.advance(int(lab.params.secrets.keeper_interval))
    assert len(lab.world.logs) == logs
    lab.send(account(f"n{keepers[0]} agent"), 0, lab.nodes.activate)
    lab.advance(int(lab.params.secrets.keeper_interval))
    assert not keeping(lab).low
    lab.check()


def test_keepers_are_not_counted_while_the_app_is_paused(lab: Lab) -> None:
    interval = int(lab.params.secrets.keeper_interval)
    lab.send(OWNER, 0, lab.apps.pause, ONE)
    lab.advance(interval)
    lab.check()
    assert not list(lab.secrets.state.counted)
    logs = len(lab.world.logs)
    lab.advance(3 * interval)
    assert len(lab.world.logs) == logs
    lab.send(OWNER, 0, lab.apps.resume, ONE)
    lab.check()
    assert list(lab.secrets.state.counted) == [ONE]
    lab.advance(interval)
    assert lab.world.emitted(lab.secrets, KeepersLow(ONE, FIRST, U8(0), U8(3)))


def test_a_seed_that_nobody_keeps_alarms(lab: Lab) -> None:
    lab.advance(int(lab.params.secrets.keeper_interval))
    assert lab.world.emitted(lab.secrets, KeepersLow(ONE, FIRST, U8(0), U8(3)))


def test_too_few_nodes_keep_nothing_and_just_enough_alarm_at_once() -> None:
    lab = Lab()
    lab.fund(OWNER, 1000)
    for name in NODES[:2]:
        lab.join(name)
    lab.send(OWNER, FLUX, lab.apps.deploy, "shop", U16(1), PRIVATE, b"ciphertext")
    assert not standing(lab).is_due
    with pytest.raises(InvalidSharing, match="2 nodes can keep it and 3"):
        lab.send(OWNER, 0, lab.secrets.keep, ONE, FIRST, sharing(lab))
    lab.join(NODES[2])
    assert standing(lab).is_due
    lab.send(OWNER, 0, lab.secrets.keep, ONE, FIRST, sharing(lab))
    assert lab.world.emitted(lab.secrets, KeepersLow(ONE, FIRST, U8(3), U8(3)))
    assert not standing(lab).is_due, "nobody could replace one"
    lab.check()


def test_keepers_go_with_the_revision_and_the_counting_with_the_app(lab: Lab) -> None:
    share_first(lab)
    share_next = sharing(lab)
    lab.advance(int(lab.params.secrets.keeper_interval))
    share(lab, agent(1), share_next)
    lab.send(OWNER, 0, lab.apps.remove, ONE)
    lab.check()
    assert not list(lab.secrets.state.keepings.items())
    assert not list(lab.secrets.state.votes.items())
    lab.advance(int(lab.params.secrets.keeper_interval))
    assert not list(lab.secrets.state.counted)


def test_an_older_revision_keeps_its_keepers(lab: Lab) -> None:
    share_first(lab)
    before = keeping(lab)
    lab.send(OWNER, 0, lab.apps.update, ONE, U16(3), PRIVATE, b"next")
    assert keeping(lab) == before
    assert lab.secrets.sharing(lab.context(), ONE, Revision(U32(2))).generation == 0
    lab.check()


def node(lab: Lab, number: int, operator: str) -> Any:
    found = lab.nodes.find(NodeId(U32(number)))
    assert found is not None
    return found.but(operator=account(operator))


def seats(lab: Lab, operators: str, holders: tuple[int, ...] = (), running: str = "", most: int = 7) -> list[int]:
    """Who keeps, when nodes 1, 2, … of these operators are drawn in this order."""
    drawn = [node(lab, number, name) for number, name in enumerate(operators, 1)]
    holding = [NodeId(U32(number)) for number in holders]
    found = rules.seats_in_order([*drawn, *drawn], holding, [account(name) for name in running], most, 3)
    return [seat.node for seat in found]


def test_each_operator_keeps_one_share_while_there_are_others(lab: Lab) -> None:
    assert seats(lab, "aabbcc", most=3) == [1, 3, 5]


def test_an_operator_that_cannot_read_the_seed_never_keeps_as_many_shares_as_open_it(lab: Lab) -> None:
    assert seats(lab, "aaaabc") == [1, 5, 6, 2]


def test_an_operator_that_runs_the_app_may_keep_more_and_its_hosts_come_last(lab: Lab) -> None:
    assert seats(lab, "aaaab", holders=(1,), running="a") == [5, 2, 3, 4, 1]


@pytest.mark.parametrize("spoil", ["no keeping", "two at one node", "threshold", "box", "votes", "uncounted"])
def test_what_should_not_be_is_noticed(lab: Lab, spoil: str) -> None:
    share_first(lab)
    state, held = lab.secrets.state, keeping(lab)
    keepers = held.shared.keepers
    changed = {
        "two at one node": held.shared.but(keepers=(keepers[0], keepers[0])),
        "threshold": held.shared.but(threshold=U8(8)),
        "box": held.shared.but(keepers=(keepers[0].but(box=b""), *keepers[1:])),
    }
    if spoil in changed:
        state.keepings.set((ONE, FIRST), held.but(shared=changed[spoil]))
    elif spoil == "no keeping":
        state.keepings.delete((ONE, FIRST))
    elif spoil == "votes":
        vote = Vote(NodeId(U32(1)), Hash(bytes(32)))
        state.votes.set((ONE, FIRST), Votes(Hash(bytes(32)), (vote, vote)))
    else:
        state.counted.discard(ONE)
    with pytest.raises(AssertionError, match=r"app 1|apps \[1\]|for each private half"):
        lab.check()


def test_a_seat_names_a_node_and_its_key(lab: Lab) -> None:
    share_first(lab)
    keeper = keeping(lab).shared.keepers[0]
    record = lab.nodes.find(keeper.node)
    assert record is not None
    assert record.status is NodeStatus.ACTIVE
    assert rules.seat_of(keeper) == Seat(keeper.node, record.endpoint.seal_key)
