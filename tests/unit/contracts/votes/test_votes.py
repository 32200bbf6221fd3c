"""Voting power: locked and bonded FLUX, delegation, the past, and what is refused."""

import pytest

from flux.contracts.addresses import TREASURY
from flux.contracts.votes import invariants
from flux.contracts.votes.types import (
    Checkpoint,
    DelegateChanged,
    DelegateVotesChanged,
    DepositForfeited,
    ECDSAInvalidSignature,
    ERC5805FutureLookup,
    Holding,
    InvalidAccountNonce,
    InvalidDelegate,
    Locked,
    NothingToLock,
    NotLocked,
    TooManyUnlocks,
    Unlocked,
    UnlockStarted,
    VotesExpiredSignature,
)
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.keccak import keccak256
from flux.primitives.signature import SigningKey
from flux.primitives.typed_data import Domain, digest, struct_hash
from flux.primitives.types import U8, U16, U64, U256, Address, ChainTime, Hash, Wei
from support.contract_lab import FLUX, account
from support.protocol_world import ProtocolWorld

KEY = SigningKey(keccak256(b"a voter's key"))


class Lab(ProtocolWorld):
    """What voters do and see."""

    def lock(self, name: str, amount: int) -> Address:
        owner = self.fund(name)
        self.send(owner, self.votes.lock, value=amount)
        return owner

    def power(self, holder: Address) -> int:
        return int(self.votes.get_votes(self.world.context(holder), holder))

    def past(self, holder: Address, ago: int) -> int:
        context = self.world.context(holder)
        return int(self.votes.get_past_votes(context, holder, U256(context.now - ago)))

    def problems(self) -> str:
        return " ".join(invariants.check(self.votes))


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_locked_flux_votes_at_once_and_is_remembered_by_the_second(lab: Lab) -> None:
    ann = lab.lock("ann", 5 * FLUX)
    assert lab.world.emitted(lab.votes, Locked(ann, Wei(U256(5 * FLUX))))
    assert lab.world.emitted(lab.votes, DelegateVotesChanged(ann, U256(0), U256(5 * FLUX)))
    assert lab.power(ann) == 5 * FLUX
    lab.block(seconds=10)
    lab.lock("ann", 2 * FLUX)
    assert (lab.past(ann, 10), lab.past(ann, 11), lab.past(ann, 1)) == (5 * FLUX, 0, 5 * FLUX)
    lab.block()
    assert lab.past(ann, 1) == 7 * FLUX
    context = lab.world.context(ann)
    assert (
        lab.votes.get_past_total_supply(context, U256(context.now - 1)) == lab.votes.total_supply(context) == 7 * FLUX
    )
    assert lab.votes.get_past_total_supply(context, U256(1)) == 0
    assert lab.votes.balance_of(context, ann) == 7 * FLUX


def test_power_of_this_very_second_is_not_known_yet(lab: Lab) -> None:
    ann = lab.lock("ann", FLUX)
    context = lab.world.context(ann)
    for view in (
        lambda: lab.votes.get_past_votes(context, ann, U256(context.now)),
        lambda: lab.votes.get_past_total_supply(context, U256(2**256 - 1)),
    ):
        with pytest.raises(ERC5805FutureLookup):
            view()


def test_unlocking_gives_power_up_at_once_and_flux_back_by_itself_later(lab: Lab) -> None:
    ann = lab.lock("ann", 5 * FLUX)
    lab.block()
    before = lab.world.balance(ann)
    due = lab.send(ann, lab.votes.unlock, Wei(U256(3 * FLUX)))
    assert due == lab.world.block.now + lab.params.votes.unlock_delay
    assert lab.world.emitted(lab.votes, UnlockStarted(ann, Wei(U256(3 * FLUX)), due))
    assert lab.power(ann) == 2 * FLUX
    lab.block(seconds=lab.params.votes.unlock_delay - 1)
    lab.block()
    assert lab.world.balance(ann) == before
    lab.block()
    assert lab.world.balance(ann) == before + 3 * FLUX
    assert lab.world.emitted(lab.votes, Unlocked(ann, Wei(U256(3 * FLUX))))
    assert lab.past(ann, 60) == 2 * FLUX
    lab.send(ann, lab.votes.unlock, Wei(U256(2 * FLUX)))
    lab.block(seconds=60)
    lab.block()
    assert dict(lab.votes.state.holdings.items()) == {}


def test_what_is_not_there_cannot_be_locked_or_unlocked(lab: Lab) -> None:
    ann = lab.lock("ann", FLUX)
    with pytest.raises(NothingToLock):
        lab.send(ann, lab.votes.lock)
    for amount in (0, FLUX + 1):
        with pytest.raises(NotLocked):
            lab.send(ann, lab.votes.unlock, Wei(U256(amount)))
    assert lab.votes.hold(lab.world.context(ann), ann, Wei(U256(FLUX)))
    assert not lab.votes.hold(lab.world.context(ann), ann, Wei(U256(1)))
    with pytest.raises(NotLocked):
        lab.send(ann, lab.votes.unlock, Wei(U256(1)))
    lab.votes.release(lab.world.context(ann), ann, Wei(U256(FLUX)))
    for _ in range(lab.params.votes.max_unlocks):
        lab.send(ann, lab.votes.unlock, Wei(U256(1)))
    with pytest.raises(TooManyUnlocks):
        lab.send(ann, lab.votes.unlock, Wei(U256(1)))


def test_a_forfeited_deposit_is_the_treasurys_and_votes_no_more(lab: Lab) -> None:
    ann = lab.lock("ann", 5 * FLUX)
    context = lab.world.context(ann)
    lab.votes.hold(context, ann, Wei(U256(2 * FLUX)))
    lab.votes.forfeit(context, ann, Wei(U256(2 * FLUX)))
    assert lab.world.emitted(lab.votes, DepositForfeited(ann, Wei(U256(2 * FLUX))))
    assert (lab.power(ann), lab.world.balance(TREASURY)) == (3 * FLUX, 2 * FLUX)
    lab.block()


def test_delegated_power_is_voted_by_one_and_moves_as_a_whole(lab: Lab) -> None:
    ann, bob = lab.lock("ann", 5 * FLUX), lab.lock("bob", FLUX)
    lab.block()
    lab.send(ann, lab.votes.delegate, bob)
    assert lab.world.emitted(lab.votes, DelegateChanged(ann, ann, bob))
    assert (lab.power(ann), lab.power(bob)) == (0, 6 * FLUX)
    lab.lock("ann", 2 * FLUX)
    assert (lab.power(ann), lab.power(bob)) == (0, 8 * FLUX)
    lab.block()
    assert (lab.past(ann, 1), lab.past(bob, 1), lab.past(ann, 2)) == (0, 8 * FLUX, 5 * FLUX)
    lab.send(ann, lab.votes.delegate, ann)
    assert (lab.power(ann), lab.power(bob)) == (7 * FLUX, FLUX)
    assert lab.votes.delegates(lab.world.context(ann), ann) == ann
    lab.send(ann, lab.votes.delegate, ann)
    lab.send(lab.fund("nobody"), lab.votes.delegate, bob)
    assert (lab.power(ann), lab.power(bob)) == (7 * FLUX, FLUX)
    lab.block()
    with pytest.raises(InvalidDelegate):
        lab.send(ann, lab.votes.delegate, ZERO_ADDRESS)


def test_bonded_stake_votes_as_staking_reports_it(lab: Lab) -> None:
    ann = lab.lock("ann", FLUX)
    for amount, power in ((10, FLUX + 10), (4, FLUX + 4), (4, FLUX + 4), (0, FLUX)):
        lab.votes.power_changed(lab.world.context(ann), ann, Wei(U256(amount)))
        assert lab.power(ann) == power
    lab.block()


def signed(nonce: int, expiry: int, target: Address, key: SigningKey = KEY) -> tuple[object, ...]:
    domain = Domain("Flux Votes", "1", 0, Address((0xF10F).to_bytes(20, "big")))
    kind = "Delegation(address delegatee,uint256 nonce,uint256 expiry)"
    signature = key.sign(digest(domain, struct_hash(kind, [target, nonce, expiry])))
    r, s = Hash(signature.r.to_bytes(32, "big")), Hash(signature.s.to_bytes(32, "big"))
    return target, U256(nonce), U256(expiry), U8(27 + signature.y_parity), r, s


def test_a_signed_delegation_counts_once_and_for_its_signer_only(lab: Lab) -> None:
    now = lab.world.block.now
    lab.world.mint(KEY.address, Wei(U256(FLUX)))
    lab.accounts.state.minted.set(Wei(U256(lab.accounts.state.minted.get() + FLUX)))
    lab.send(KEY.address, lab.votes.lock, value=FLUX)
    bob, relay = account("bob"), lab.fund("relay")
    good = signed(0, now, bob)
    with pytest.raises(VotesExpiredSignature):
        lab.send(relay, lab.votes.delegate_by_sig, *signed(0, now - 1, bob))
    with pytest.raises(InvalidAccountNonce):
        lab.send(relay, lab.votes.delegate_by_sig, *signed(1, now, bob))
    with pytest.raises(ECDSAInvalidSignature):
        lab.send(relay, lab.votes.delegate_by_sig, *good[:5], Hash(b"\xff" * 32))
    with pytest.raises(ECDSAInvalidSignature):
        lab.send(relay, lab.votes.delegate_by_sig, *good[:3], U8(5), *good[4:])
    lab.send(relay, lab.votes.delegate_by_sig, *good)
    assert lab.power(bob) == FLUX
    with pytest.raises(InvalidAccountNonce):
        lab.send(relay, lab.votes.delegate_by_sig, *good)
    assert lab.votes.nonces(lab.world.context(relay), KEY.address) == 1


def test_tools_find_what_they_look_for(lab: Lab) -> None:
    context = lab.world.context(account("tool"))
    assert (lab.votes.clock(context), lab.votes.CLOCK_MODE(context)) == (context.now, "mode=timestamp")
    assert (lab.votes.name_(context), lab.votes.symbol(context), lab.votes.decimals(context)) == (
        "Flux Votes", "vFLUX", 18,
    )  # fmt: skip
    assert len(lab.votes.DOMAIN_SEPARATOR(context)) == 32
    assert lab.votes.holding(context, account("tool")) == Holding(Wei(U256(0)), Wei(U256(0)), Wei(U256(0)), U16(0))
    names = {item.name for item in lab.votes.methods.values()}
    assert {"CLOCK_MODE", "DOMAIN_SEPARATOR", "getPastTotalSupply", "delegateBySig", "name"} <= names


def test_the_invariants_notice_power_from_nowhere(lab: Lab) -> None:
    ann = lab.lock("ann", FLUX)
    state = lab.votes.state
    state.checkpoints.set((ann, ChainTime(U64(lab.world.block.now + 1))), Checkpoint(Wei(U256(1))))
    assert "not the sum of what was delegated" in lab.problems()
    state.totals.set(ChainTime(U64(lab.world.block.now + 1)), Checkpoint(Wei(U256(1))))
    assert "all power is 1" in lab.problems()
    state.holdings.set(ann, Holding(Wei(U256(1)), Wei(U256(0)), Wei(U256(2)), U16(1)))
    for words in ("1 wei are locked", "2 held", "counts 1 amounts"):
        assert words in lab.problems()
