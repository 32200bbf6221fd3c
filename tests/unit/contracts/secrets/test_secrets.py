"""Seeds reach lease holders from the owner or from each other, and nobody can crowd the owner out."""

from typing import Any

import pytest

from flux.contracts.apps.types import AppId, NotOwner, Revision, UnknownApp, encode_spec
from flux.contracts.market.types import CloseReason, LeaseId, LeaseState, UnknownLease
from flux.contracts.secrets.types import (
    Box,
    Boxes,
    InvalidBox,
    InvalidSeal,
    MaySealNot,
    NoPrivateHalf,
    SealedSeed,
    SeedSealed,
)
from flux.kernel.revert_data import encode_error
from flux.primitives.types import U16, U32, U64, Address
from support.contract_lab import FLUX, Lab, account, spec

OWNER, STRANGER = account("owner"), account("stranger")
PRIVATE = encode_spec(spec(private=True))
NODES = ["n1", "n2", "n3", "n4", "n5"]
ONE = AppId(U64(1))
UNKNOWN_LEASE = LeaseId(U64(77))


def agent(number: int) -> Address:
    """The agent of the node that holds lease `number`."""
    return account(f"{NODES[number - 1]} agent")


def seed(lease: int, letter: str = "s") -> SealedSeed:
    return SealedSeed(LeaseId(U64(lease)), letter.encode() * 64)


@pytest.fixture
def lab() -> Lab:
    """A private app with five leases on five nodes, of which the first four run."""
    lab = Lab()
    lab.fund(OWNER, 1000)
    for name in NODES:
        lab.join(name)
    lab.send(OWNER, FLUX, lab.apps.deploy, "shop", U16(5), PRIVATE, b"ciphertext")
    for lease in range(1, 5):
        lab.market.confirm(lab.context(), lease)
    return lab


def boxes(lab: Lab, lease: int) -> list[bytes]:
    return lab.secrets.boxes(lab.context(), LeaseId(U64(lease)))


def hand_over(lab: Lab, giver: Address, given: SealedSeed, app: AppId = ONE) -> None:
    lab.send(giver, 0, lab.secrets.hand_over, app, given)


def test_the_owner_seals_to_lease_holders(lab: Lab) -> None:
    lab.send(OWNER, 0, lab.secrets.seal, ONE, [seed(1, "a"), seed(2, "b")])
    assert (boxes(lab, 1), boxes(lab, 2), boxes(lab, 3)) == ([b"a" * 64], [b"b" * 64], [])
    assert lab.world.emitted(lab.secrets, SeedSealed(ONE, LeaseId(U64(1))))
    lab.check()


def test_sealing_again_replaces_the_owners_box(lab: Lab) -> None:
    lab.send(OWNER, 0, lab.secrets.seal, ONE, [seed(1, "a")])
    lab.send(OWNER, 0, lab.secrets.seal, ONE, [seed(1, "b")])
    assert boxes(lab, 1) == [b"b" * 64]
    lab.check()


@pytest.mark.parametrize("caller", [STRANGER, account("n1 agent"), account("n1 operator")])
def test_only_the_owner_seals(lab: Lab, caller: Address) -> None:
    with pytest.raises(NotOwner):
        lab.send(caller, 0, lab.secrets.seal, ONE, [seed(1)])


def test_a_node_that_runs_the_app_hands_the_seed_on(lab: Lab) -> None:
    hand_over(lab, agent(1), seed(5, "x"))
    assert boxes(lab, 5) == [b"x" * 64]
    assert lab.world.emitted(lab.secrets, SeedSealed(ONE, LeaseId(U64(5))))
    lab.check()


def test_each_giver_gives_once_and_few_may_give_but_the_owner_always_can(lab: Lab) -> None:
    hand_over(lab, agent(1), seed(5, "1"))
    with pytest.raises(InvalidSeal, match="already"):
        hand_over(lab, agent(1), seed(5, "2"))
    hand_over(lab, agent(2), seed(5, "2"))
    hand_over(lab, agent(3), seed(5, "3"))
    with pytest.raises(InvalidSeal, match="3 nodes"):
        hand_over(lab, agent(4), seed(5, "4"))
    lab.send(OWNER, 0, lab.secrets.seal, ONE, [seed(5, "o")])
    assert boxes(lab, 5) == [letter.encode() * 64 for letter in "o123"]
    lab.check()


def test_the_owners_box_does_not_take_a_nodes_place(lab: Lab) -> None:
    lab.send(OWNER, 0, lab.secrets.seal, ONE, [seed(5, "o")])
    for giver in (1, 2, 3):
        hand_over(lab, agent(giver), seed(5))
    assert len(boxes(lab, 5)) == 4
    lab.check()


@pytest.mark.parametrize("giver", [STRANGER, OWNER, account("n1 operator"), account("n5 agent")])
def test_who_has_not_confirmed_a_lease_gives_nothing(lab: Lab, giver: Address) -> None:
    with pytest.raises(MaySealNot):
        hand_over(lab, giver, seed(1))


def test_a_node_does_not_give_to_itself(lab: Lab) -> None:
    with pytest.raises(InvalidSeal, match="own"):
        hand_over(lab, agent(1), seed(1))


def test_a_node_that_runs_another_revision_hands_the_seed_on_too(lab: Lab) -> None:
    lease = lab.market.leases[5]
    lab.market.leases[5] = lease.but(revision=Revision(U32(2)))
    lab.secrets.publish(lab.context(), ONE, Revision(U32(2)), b"newer")
    hand_over(lab, agent(1), seed(5, "x"))
    assert boxes(lab, 5) == [b"x" * 64]


@pytest.mark.parametrize("size", [0, 63, 65, 70_000])
def test_a_box_of_another_size_is_refused(lab: Lab, size: int) -> None:
    bad = SealedSeed(LeaseId(U64(5)), b"x" * size)
    for sender, method, argument in (
        (OWNER, lab.secrets.seal, [bad]),
        (agent(1), lab.secrets.hand_over, bad),
    ):
        with pytest.raises(InvalidBox) as caught:
            lab.send(sender, 0, method, ONE, argument)  # type: ignore[arg-type]
        assert encode_error(caught.value)


def test_a_lease_that_is_closed_foreign_or_unknown_gets_nothing(lab: Lab) -> None:
    other = lab.send(OWNER, FLUX, lab.apps.deploy, "other", U16(1), PRIVATE, b"other")
    foreign = seed(lab.market.open_leases(other)[0].id)
    lab.market.close(lab.context(), 5, CloseReason.CRASHED)
    for error, target in (
        (InvalidSeal, seed(5)),
        (InvalidSeal, foreign),
        (UnknownLease, SealedSeed(UNKNOWN_LEASE, b"x" * 64)),
    ):
        with pytest.raises(error):
            lab.send(OWNER, 0, lab.secrets.seal, ONE, [target])
        with pytest.raises(error):
            hand_over(lab, agent(1), target)
    with pytest.raises(UnknownApp):
        lab.send(OWNER, 0, lab.secrets.seal, AppId(U64(9)), [])


def test_an_app_without_private_half_needs_no_seed(lab: Lab) -> None:
    public = lab.deploy(OWNER, 1000, name="public")
    target = seed(lab.market.open_leases(public)[0].id)
    with pytest.raises(NoPrivateHalf):
        lab.send(OWNER, 0, lab.secrets.seal, public, [target])
    with pytest.raises(NoPrivateHalf):
        lab.secrets.ciphertext(lab.context(), public, Revision(U32(1)))
    assert lab.secrets.ciphertext(lab.context(), ONE, Revision(U32(1))) == b"ciphertext"


def test_one_call_seals_a_bounded_number_of_seeds(lab: Lab) -> None:
    limit = lab.params.secrets.max_seals_per_call
    lab.send(OWNER, 0, lab.secrets.seal, ONE, [seed(1)] * limit)
    with pytest.raises(InvalidSeal):
        lab.send(OWNER, 0, lab.secrets.seal, ONE, [seed(1)] * (limit + 1))


def test_boxes_go_when_the_lease_closes(lab: Lab) -> None:
    lab.send(OWNER, 0, lab.secrets.seal, ONE, [seed(5)])
    lab.market.close(lab.context(), 5, CloseReason.CRASHED)
    assert boxes(lab, 5) == []
    lab.check()


def test_a_refused_call_changes_nothing(lab: Lab) -> None:
    before = lab.world.dump()
    with pytest.raises(InvalidBox):
        lab.send(OWNER, 0, lab.secrets.seal, ONE, [seed(1), SealedSeed(LeaseId(U64(2)), b"")])
    assert lab.world.dump() == before


@pytest.mark.parametrize(
    "spoiled",
    [
        (),
        (Box(OWNER, b"x" * 64), Box(OWNER, b"y" * 64)),
        (Box(OWNER, b"x"),),
        tuple(Box(account(str(number)), b"x" * 64) for number in range(5)),
    ],
)
def test_boxes_that_should_not_be_are_noticed(lab: Lab, spoiled: Any) -> None:
    lab.secrets.state.boxes.set(LeaseId(U64(5)), Boxes(ONE, spoiled))
    with pytest.raises(AssertionError, match="lease 5"):
        lab.check()


def test_boxes_of_a_closed_lease_are_noticed(lab: Lab) -> None:
    lab.send(OWNER, 0, lab.secrets.seal, ONE, [seed(5)])
    lab.market.leases[5] = lab.market.leases[5].but(state=LeaseState.CLOSED)
    with pytest.raises(AssertionError, match="closed"):
        lab.check()


def test_flux_that_strayed_into_the_contract_is_noticed(lab: Lab) -> None:
    lab.world.transfer(OWNER, lab.secrets.address, lab.params.escrow.min_deposit)
    with pytest.raises(AssertionError, match="should hold none"):
        lab.check()
