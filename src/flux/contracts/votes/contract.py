"""Votes: voting power from locked and bonded FLUX, its delegation, and what it was at any past time (ERC-5805)."""

from flux.contracts.addresses import TREASURY, VOTES
from flux.contracts.votes import rules
from flux.contracts.votes.state import VotesState
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
    Unlock,
    Unlocked,
    UnlockStarted,
    VotesExpiredSignature,
    VotesParams,
)
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, scheduled, view
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.typed_data import Domain, digest, find_signer, struct_hash
from flux.primitives.types import U8, U16, U48, U64, U256, Address, ChainTime, Hash, Wei

UNLOCK_DUE = 1
_DELEGATION = "Delegation(address delegatee,uint256 nonce,uint256 expiry)"


class Votes(Contract):
    """Power to vote: one vote per wei that is locked here, staked or delegated to a node."""

    name = "Votes"
    address = VOTES
    events = (Locked, UnlockStarted, Unlocked, DepositForfeited, DelegateChanged, DelegateVotesChanged)
    errors = (
        NothingToLock,
        NotLocked,
        TooManyUnlocks,
        InvalidDelegate,
        ERC5805FutureLookup,
        VotesExpiredSignature,
        InvalidAccountNonce,
        ECDSAInvalidSignature,
    )

    def __init__(self, host: Host, params: VotesParams) -> None:
        super().__init__(host)
        self.params = params
        self.state = VotesState(host.storage)

    @method(gas=60_000, payable=True)
    def lock(self, ctx: Context) -> None:
        """Lock the value: it votes until it is unlocked. Raises NothingToLock."""
        if not ctx.value:
            raise NothingToLock()
        holding = self._holding(ctx.sender)
        self._change(ctx, ctx.sender, holding.but(locked=_wei(holding.locked + ctx.value)))
        self.host.emit(Locked(ctx.sender, ctx.value))

    @method(gas=60_000)
    def unlock(self, ctx: Context, amount: Wei) -> ChainTime:
        """Give up power at once and get the FLUX back by itself after `unlock_delay`, at the time returned.

        Raises NotLocked, TooManyUnlocks.
        """
        holding = self._holding(ctx.sender)
        available = _wei(holding.locked - holding.held)
        if not 0 < amount <= available:
            raise NotLocked(ctx.sender, available, amount)
        if holding.unlocks >= self.params.max_unlocks:
            raise TooManyUnlocks(ctx.sender, self.params.max_unlocks)
        number = U64(self.state.last_unlock.get() + 1)
        due = ChainTime(U64(ctx.now + self.params.unlock_delay))
        self.state.last_unlock.set(number)
        self.state.unlocks.set(number, Unlock(ctx.sender, amount, due))
        self.host.schedule(due, UNLOCK_DUE, number)
        left = holding.but(locked=_wei(holding.locked - amount), unlocks=U16(holding.unlocks + 1))
        self._change(ctx, ctx.sender, left)
        self.host.emit(UnlockStarted(ctx.sender, amount, due))
        return due

    @method(gas=60_000)
    def delegate(self, ctx: Context, delegatee: Address) -> None:
        """Let another account vote with the caller's power, all of it, from now on. Raises InvalidDelegate."""
        self._delegate(ctx, ctx.sender, delegatee)

    @method(gas=80_000)
    def delegate_by_sig(
        self, ctx: Context, delegatee: Address, nonce: U256, expiry: U256, v: U8, r: Hash, s: Hash
    ) -> None:
        """Delegate for whoever signed it (EIP-712).

        Raises VotesExpiredSignature, ECDSAInvalidSignature, InvalidAccountNonce, InvalidDelegate.
        """
        if ctx.now > expiry:
            raise VotesExpiredSignature(expiry)
        message = digest(self._domain(), struct_hash(_DELEGATION, [delegatee, nonce, expiry]))
        signer = find_signer(message, r + s + bytes([v]))
        if signer is None:
            raise ECDSAInvalidSignature()
        expected = self.nonces(ctx, signer)
        if nonce != expected:
            raise InvalidAccountNonce(signer, expected)
        self.state.nonces.set(signer, U256(nonce + 1))
        self._delegate(ctx, signer, delegatee)

    @view()
    def get_votes(self, ctx: Context, account: Address) -> U256:
        """What an account may vote with now, its own and what was delegated to it."""
        return self._latest(account)

    @view(gas=6_000)
    def get_past_votes(self, ctx: Context, account: Address, timepoint: U256) -> U256:
        """What it was at a time that is past. Raises ERC5805FutureLookup."""
        self._check_past(ctx, timepoint)
        found = self.state.checkpoints.last_before(account, rules.after(timepoint))
        return U256(0 if found is None else found[1].votes)

    @view(gas=6_000)
    def get_past_total_supply(self, ctx: Context, timepoint: U256) -> U256:
        """All power there was at a time that is past. Raises ERC5805FutureLookup."""
        self._check_past(ctx, timepoint)
        found = self.state.totals.last_before(b"", rules.after(timepoint))
        return U256(0 if found is None else found[1].votes)

    @view()
    def delegates(self, ctx: Context, account: Address) -> Address:
        """Who votes with an account's power: itself until it delegates."""
        return self.state.delegates.find(account) or account

    @view()
    def holding(self, ctx: Context, account: Address) -> Holding:
        """What gives an account its power."""
        return self._holding(account)

    @view()
    def balance_of(self, ctx: Context, account: Address) -> U256:
        """An account's power before delegation, as token tools show it."""
        return U256(rules.units(self._holding(account)))

    @view()
    def total_supply(self, ctx: Context) -> U256:
        """All power."""
        found = self.state.totals.last_before(b"", rules.AFTER_ALL)
        return U256(0 if found is None else found[1].votes)

    @view()
    def nonces(self, ctx: Context, owner: Address) -> U256:
        """Next nonce of a signed delegation."""
        return self.state.nonces.find(owner) or U256(0)

    @view()
    def clock(self, ctx: Context) -> U48:
        """ERC-6372: protocol time in seconds."""
        return U48(ctx.now)

    @view()
    def CLOCK_MODE(self, ctx: Context) -> str:
        """ERC-6372."""
        return rules.CLOCK_MODE

    @view()
    def DOMAIN_SEPARATOR(self, ctx: Context) -> Hash:
        """EIP-712 domain of signed delegations."""
        return self._domain().separator()

    @view()
    def name_(self, ctx: Context) -> str:
        """`name()` on the wire: what tools call the votes."""
        return rules.NAME

    @view()
    def symbol(self, ctx: Context) -> str:
        """What tools write behind numbers of votes."""
        return "vFLUX"

    @view()
    def decimals(self, ctx: Context) -> U8:
        """One vote per wei."""
        return U8(18)

    def begin(self, ctx: Context, chain_id: U64) -> None:
        """For genesis: which chain this is."""
        self.state.chain_id.set(U256(chain_id))

    def power_changed(self, ctx: Context, account: Address, bonded: Wei) -> None:
        """For staking: own and delegated stake of an account is so much now."""
        self._change(ctx, account, self._holding(account).but(bonded=bonded))

    def hold(self, ctx: Context, account: Address, amount: Wei) -> bool:
        """For the governor: keep part of what is locked as a deposit; False when too little is locked."""
        holding = self._holding(account)
        if holding.locked - holding.held < amount:
            return False
        self.state.holdings.set(account, holding.but(held=_wei(holding.held + amount)))
        return True

    def release(self, ctx: Context, account: Address, amount: Wei) -> None:
        """For the governor: a deposit is its owner's again."""
        holding = self._holding(account)
        self.state.holdings.set(account, holding.but(held=_wei(holding.held - amount)))

    def forfeit(self, ctx: Context, account: Address, amount: Wei) -> None:
        """For the governor: a deposit is the treasury's."""
        holding = self._holding(account)
        left = holding.but(held=_wei(holding.held - amount), locked=_wei(holding.locked - amount))
        self._change(ctx, account, left)
        self.host.pay(TREASURY, amount)
        self.host.emit(DepositForfeited(account, amount))

    @scheduled(UNLOCK_DUE)
    def end_unlock(self, ctx: Context, subject: int) -> None:
        """FLUX goes back to its owner."""
        entry = self.state.unlocks.get(U64(subject))
        self.state.unlocks.delete(U64(subject))
        holding = self._holding(entry.account)
        self._store(entry.account, holding.but(unlocks=U16(holding.unlocks - 1)))
        self.host.pay(entry.account, entry.amount)
        self.host.emit(Unlocked(entry.account, entry.amount))

    def _delegate(self, ctx: Context, account: Address, delegatee: Address) -> None:
        if delegatee == ZERO_ADDRESS:
            raise InvalidDelegate()
        before = self.delegates(ctx, account)
        if delegatee == account:
            self.state.delegates.delete(account)
        else:
            self.state.delegates.set(account, delegatee)
        self.host.emit(DelegateChanged(account, before, delegatee))
        power = rules.units(self._holding(account))
        if before != delegatee and power:
            self._add(ctx, before, -power)
            self._add(ctx, delegatee, power)

    def _change(self, ctx: Context, account: Address, holding: Holding) -> None:
        """Store a holding; power and the total follow."""
        change = rules.units(holding) - rules.units(self._holding(account))
        self._store(account, holding)
        if change:
            self._add(ctx, self.delegates(ctx, account), change)
            self.state.totals.set(ctx.now, Checkpoint(_wei(self.total_supply(ctx) + change)))

    def _add(self, ctx: Context, delegate: Address, change: int) -> None:
        before = self._latest(delegate)
        self.state.checkpoints.set((delegate, ctx.now), Checkpoint(_wei(before + change)))
        self.host.emit(DelegateVotesChanged(delegate, before, U256(before + change)))

    def _store(self, account: Address, holding: Holding) -> None:
        if holding == rules.NOTHING:
            self.state.holdings.delete(account)
        else:
            self.state.holdings.set(account, holding)

    def _holding(self, account: Address) -> Holding:
        return self.state.holdings.find(account) or rules.NOTHING

    def _latest(self, account: Address) -> U256:
        found = self.state.checkpoints.last_before(account, rules.AFTER_ALL)
        return U256(0 if found is None else found[1].votes)

    def _check_past(self, ctx: Context, timepoint: U256) -> None:
        if timepoint >= ctx.now:
            raise ERC5805FutureLookup(timepoint, U48(ctx.now))

    def _domain(self) -> Domain:
        return Domain(rules.NAME, rules.VERSION, self.state.chain_id.get(), self.address)


def _wei(amount: int) -> Wei:
    return Wei(U256(amount))
