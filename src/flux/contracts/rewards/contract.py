"""Rewards: FLUX is minted for nodes that were seen to serve and for those that produce blocks, by a fixed schedule."""

from flux.contracts.addresses import REWARDS, STAKING
from flux.contracts.nodes.types import NodeId, Tier, UnknownNode
from flux.contracts.probes.types import Epoch
from flux.contracts.rewards import rules
from flux.contracts.rewards.ports import AccountsPort, NodesPort, ProducersPort, StakingPort
from flux.contracts.rewards.state import RewardsState
from flux.contracts.rewards.types import (
    PPM,
    Claim,
    Emission,
    EpochFunded,
    EpochSettled,
    NodeIncome,
    NodeRewarded,
    NodeRewards,
    NothingToClaim,
    OpenEpoch,
    RewardsClaimed,
    RewardsParams,
)
from flux.contracts.staking.types import BelowMinimum, NotDelegable, PoolExhausted, Shares
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, view
from flux.primitives.types import NO_WEI, U32, U64, U256, Address, Seconds, Wei

_NOTHING = (U64(0), U64(0), U64(0))
_ZERO = U256(0)


class Rewards(Contract):
    """The emission budget, its division, and what is owed to whom."""

    name = "Rewards"
    address = REWARDS
    events = (EpochFunded, EpochSettled, NodeRewarded, RewardsClaimed)
    errors = (NothingToClaim, UnknownNode, BelowMinimum, NotDelegable, PoolExhausted)

    def __init__(
        self,
        host: Host,
        params: RewardsParams,
        accounts: AccountsPort,
        nodes: NodesPort,
        staking: StakingPort,
        producers: ProducersPort,
    ) -> None:
        super().__init__(host)
        self.params = params
        self.state = RewardsState(host.storage)
        self._accounts = accounts
        self._nodes = nodes
        self._staking = staking
        self._producers = producers

    @method(gas=70_000)
    def claim(self, ctx: Context, node: NodeId) -> Wei:
        """Take what the caller earned with its stake on a node, and an operator its commission.

        Returns how much. Raises UnknownNode, NothingToClaim.
        """
        amount = self._take(ctx, node)
        self.host.pay(ctx.sender, amount)
        self.host.emit(RewardsClaimed(node, ctx.sender, amount, compounded=False))
        return amount

    @method(gas=110_000)
    def compound(self, ctx: Context, node: NodeId) -> Wei:
        """Bond what the caller earned to the same node. Returns how much.

        Raises UnknownNode, NothingToClaim, NotDelegable, BelowMinimum, PoolExhausted.
        """
        amount = self._take(ctx, node)
        self.host.pay(STAKING, amount)
        self._staking.compound(ctx, node, ctx.sender, amount)
        self.host.emit(RewardsClaimed(node, ctx.sender, amount, compounded=True))
        return amount

    @method(gas=50_000)
    def settle(self, ctx: Context, node: NodeId) -> None:
        """Mint what a node earned in the last epoch whose availability is known; anybody may. Raises UnknownNode."""
        self._staking.pool(ctx, node)
        self._settle(ctx, node)

    @view()
    def claimable(self, ctx: Context, node: NodeId, account: Address) -> Wei:
        """What `claim` would pay now. Raises UnknownNode."""
        pool, record = self._staking.pool(ctx, node), self._record(node)
        commission, gained, _ = self._shared(ctx, node, record, self._due(record))
        shares = self._staking.shares_of(account, node)
        found = self._claim_of(account, node)
        earned = rules.accrued(shares, found.paid, record.per_share + gained)
        return rules.wei(found.owed + earned + (commission if account == pool.operator else 0))

    @view()
    def emission(self, ctx: Context) -> Emission:
        """The budget and what became of it."""
        pool, began, until = self.state.pool.get(), self.state.began.get(), self.state.until.get()
        allowed = rules.budget(pool, until - began)
        return Emission(pool, began, until, allowed, self.state.unearned.get(), self.state.minted.get())

    @view()
    def income(self, ctx: Context, node: NodeId) -> NodeIncome:
        """What a node has earned, and what full availability is worth in its tier now. Raises UnknownNode."""
        self._staking.pool(ctx, node)
        record = self._record(node)
        return NodeIncome(node, record.earned, record.epoch, record.availability, self._daily(self._tier(node)))

    @view()
    def daily(self, ctx: Context) -> list[Wei]:
        """What a node with full availability got in the last settled epoch, extended to a day, by tier."""
        return [self._daily(tier) for tier in (Tier.CUMULUS, Tier.NIMBUS, Tier.STRATUS)]

    def begin(self, ctx: Context, handed: Wei) -> None:
        """For genesis: emission begins now. What the genesis gave to users is taken off the pool."""
        self.state.pool.set(rules.wei(self.params.pool - handed))
        self.state.began.set(ctx.now)
        self.state.until.set(ctx.now)

    def epoch_ended(self, ctx: Context, epoch: Epoch) -> None:
        """For probes: an epoch is over, so the reports of the one before it are complete.

        Costs the same however many nodes there are; the producers are as many as the validator set holds.
        """
        self._close(ctx)
        began, until = self.state.began.get(), self.state.until.get()
        pool, duration = self.state.pool.get(), Seconds(U64(ctx.now - until))
        unearned = self.state.unearned.get()
        back = rules.returned(unearned, duration)
        slice_ = rules.budget(pool, ctx.now - began) - rules.budget(pool, until - began)
        budget = rules.wei(slice_ + back)
        producers = rules.part(budget, self.params.producers)
        hosts = rules.wei(budget - producers)
        self.state.until.set(ctx.now)
        self.state.unearned.set(rules.wei(unearned - back))
        self.state.open.set(OpenEpoch(epoch, duration, hosts, _NOTHING, _NOTHING))
        self.host.emit(EpochFunded(epoch, producers, hosts))
        paid = self._pay_producers(ctx, epoch, producers, duration)
        self._give_back(producers - paid)

    def availability_known(self, ctx: Context, epoch: Epoch, node: NodeId, availability: U32) -> None:
        """For probes: what the committee says so far of a node in an epoch that is over."""
        open_ = self.state.open.get()
        if epoch != open_.epoch or not open_.duration:
            return
        self._settle(ctx, node)
        record = self._record(node)
        if record.epoch != epoch or not record.tier:
            tier = self._tier(node)
            if tier is Tier.NONE:
                return
            record = record.but(epoch=epoch, tier=tier, availability=U32(0))
            open_ = open_.but(nodes=rules.with_total(open_.nodes, tier, 1))
        change = 0 if epoch < record.barred else min(availability, PPM) - record.availability
        self.state.open.set(open_.but(totals=rules.with_total(open_.totals, record.tier, change)))
        self.state.nodes.set(node, record.but(availability=U32(record.availability + change)))

    def position_changing(self, ctx: Context, node: NodeId, account: Address, before: Shares, total: Shares) -> None:
        """For staking: shares are about to change, so what they earned so far is noted."""
        self._settle(ctx, node)
        self._accrue(account, node, before)

    def slashed(self, ctx: Context, node: NodeId) -> None:
        """For staking: a node at fault earns nothing for this epoch, nor for the one that is being reported on."""
        self._settle(ctx, node)
        record, open_ = self._record(node), self.state.open.get()
        if record.epoch == open_.epoch and record.availability:
            totals = rules.with_total(open_.totals, record.tier, -record.availability)
            self.state.open.set(open_.but(totals=totals))
        barred = Epoch(U64(open_.epoch + 2 if open_.duration else 1))
        self.state.nodes.set(node, record.but(availability=U32(0), barred=barred))

    def shares_of(self, account: Address, node: NodeId) -> Shares:
        """An account's shares of a node; for invariants."""
        return self._staking.shares_of(account, node)

    def _close(self, ctx: Context) -> None:
        """Fix what the open epoch pays, and give back what nobody earned of it."""
        open_ = self.state.open.get()
        if not open_.duration:
            return
        yearly, duration = self.params.max_yearly, open_.duration
        caps = [rules.yearly_cap(stake, yearly, duration) for stake in self._nodes.tier_stakes()]
        rates = rules.rates(open_, self.params.weights, caps)
        left = rules.wei(open_.budget - rules.given(rates, open_.totals))
        self.state.rates.set(open_.epoch, rates)
        self._give_back(left)
        if open_.epoch >= self.params.epochs_kept:
            self.state.rates.delete(Epoch(U64(open_.epoch - self.params.epochs_kept)))
        self.host.emit(EpochSettled(open_.epoch, rates.wei_per_ppm, left))

    def _give_back(self, amount: int) -> None:
        self.state.unearned.set(rules.wei(self.state.unearned.get() + amount))

    def _pay_producers(self, ctx: Context, epoch: Epoch, amount: Wei, duration: Seconds) -> Wei:
        work = list(self._producers.work(ctx, epoch))
        stakes = self._nodes.tier_stakes()
        paid = 0
        for (node, _), part in zip(work, rules.split(amount, [weight for _, weight in work]), strict=True):
            tier = self._tier(node)
            if tier is Tier.NONE or epoch < self._record(node).barred:
                continue
            self._settle(ctx, node)
            record = self._record(node)
            before = record.produced if record.produced_epoch == epoch else 0
            cap = rules.yearly_cap(stakes[tier - 1], self.params.max_yearly, duration)
            earned = rules.wei(min(part, cap - before))
            self.state.nodes.set(node, record.but(produced_epoch=epoch, produced=rules.wei(before + earned)))
            self._distribute(ctx, node, epoch, earned)
            paid += earned
        return rules.wei(paid)

    def _settle(self, ctx: Context, node: NodeId) -> None:
        """Mint what a node earned in the epoch it was last reported in, once that epoch's rates are known."""
        record = self._record(node)
        if not record.availability or record.epoch == self.state.open.get().epoch:
            return
        amount, whole = self._due(record), self._uncapped(record)
        self.state.nodes.set(node, record.but(availability=U32(0)))
        self._give_back(whole - amount)
        self._distribute(ctx, node, record.epoch, amount)

    def _distribute(self, ctx: Context, node: NodeId, epoch: Epoch, amount: Wei) -> None:
        """Mint, give the operator its commission, and the rest to all shares."""
        if not amount:
            return
        record, operator = self._record(node), self._staking.pool(ctx, node).operator
        commission, gained, remainder = self._shared(ctx, node, record, amount)
        record = record.but(
            per_share=U256(record.per_share + gained),
            remainder=remainder,
            earned=rules.wei(record.earned + amount),
        )
        self.state.nodes.set(node, record)
        claim = self._claim_of(operator, node)
        self.state.claims.set((operator, node), claim.but(owed=rules.wei(claim.owed + commission)))
        self.state.minted.set(rules.wei(self.state.minted.get() + amount))
        self._accounts.mint(ctx, self.address, amount)
        self.host.emit(NodeRewarded(node, epoch, amount, commission))

    def _shared(self, ctx: Context, node: NodeId, record: NodeRewards, amount: Wei) -> tuple[Wei, U256, U256]:
        """Commission, what each share gains, and the remainder; all is commission where nobody has shares."""
        pool = self._staking.pool(ctx, node)
        if not pool.shares:
            return amount, _ZERO, record.remainder
        commission = rules.part(amount, pool.commission)
        return commission, *rules.per_share(amount - commission, record.remainder, pool.shares)

    def _uncapped(self, record: NodeRewards) -> Wei:
        rates = self.state.rates.find(record.epoch)
        if rates is None or not record.availability:
            return NO_WEI
        return rules.wei(rates.wei_per_ppm[record.tier - 1] * record.availability)

    def _due(self, record: NodeRewards) -> Wei:
        """What a node gets for hosting in the epoch it was last reported in; its blocks count against the cap."""
        rates = self.state.rates.find(record.epoch)
        if rates is None or not record.availability:
            return NO_WEI
        produced = record.produced if record.produced_epoch == record.epoch else 0
        return rules.wei(min(self._uncapped(record), max(0, rates.caps[record.tier - 1] - produced)))

    def _take(self, ctx: Context, node: NodeId) -> Wei:
        shares = self._staking.shares_of(ctx.sender, node)
        self._staking.pool(ctx, node)
        self._settle(ctx, node)
        self._accrue(ctx.sender, node, shares)
        claim = self._claim_of(ctx.sender, node)
        if not claim.owed:
            raise NothingToClaim(node, ctx.sender)
        if shares:
            self.state.claims.set((ctx.sender, node), claim.but(owed=NO_WEI))
        else:
            self.state.claims.delete((ctx.sender, node))
        return claim.owed

    def _accrue(self, account: Address, node: NodeId, shares: Shares) -> None:
        claim, now = self._claim_of(account, node), self._record(node).per_share
        earned = rules.accrued(shares, claim.paid, now)
        self.state.claims.set((account, node), Claim(now, rules.wei(claim.owed + earned)))

    def _claim_of(self, account: Address, node: NodeId) -> Claim:
        return self.state.claims.find((account, node)) or Claim(_ZERO, NO_WEI)

    def _record(self, node: NodeId) -> NodeRewards:
        none = Epoch(U64(0))
        return self.state.nodes.find(node) or NodeRewards(
            none, Tier.NONE, U32(0), none, NO_WEI, none, _ZERO, _ZERO, NO_WEI
        )

    def _tier(self, node: NodeId) -> Tier:
        record = self._nodes.find(node)
        return Tier.NONE if record is None else record.tier

    def _daily(self, tier: Tier) -> Wei:
        open_ = self.state.open.get()
        rates = self.state.rates.find(Epoch(U64(open_.epoch - 1))) if open_.epoch else None
        if rates is None or tier is Tier.NONE:
            return NO_WEI
        return rules.per_day(rates.wei_per_ppm[tier - 1] * PPM, open_.duration)
