"""Staking: FLUX bonded to nodes by their operators and by anybody else, how it leaves, and how it is slashed."""

from itertools import islice

from flux.contracts.addresses import STAKING
from flux.contracts.nodes.types import NodeId, NodeStatus, UnknownNode
from flux.contracts.staking import rules
from flux.contracts.staking.ledger import Ledger
from flux.contracts.staking.ports import AccountsPort, NodesPort, RewardsPort, VotesPort
from flux.contracts.staking.state import StakingState
from flux.contracts.staking.types import (
    EVERYTHING,
    BasisPoints,
    BelowMinimum,
    CommissionChanged,
    CommissionChangedRecently,
    CommissionChangeTooLarge,
    CommissionTooHigh,
    Delegated,
    Delegation,
    InvalidInfraction,
    InvalidSlash,
    MoveSlashed,
    NotDelegable,
    NotEnoughStaked,
    NothingToWithdraw,
    OwnStakeTooLow,
    PartsPerMillion,
    Pool,
    PoolExhausted,
    Redelegated,
    RedelegationCoolingDown,
    SameNode,
    Shares,
    Slashed,
    StakeWithdrawn,
    StakingParams,
    Unbonding,
    Undelegated,
    ZeroShares,
)
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, view
from flux.kernel.errors import Unauthorized
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.types import NO_WEI, U16, U32, U64, Address, ChainTime, Wei

_NEVER = ChainTime(U64(0))
_NO_PARTS = PartsPerMillion(U32(0))


class Staking(Contract):
    """Pools of stake behind nodes, with shares for everybody in them."""

    name = "Staking"
    address = STAKING
    events = (Delegated, Undelegated, Redelegated, StakeWithdrawn, CommissionChanged, Slashed, MoveSlashed)
    errors = (
        UnknownNode, BelowMinimum, ZeroShares, NotEnoughStaked, OwnStakeTooLow, PoolExhausted, NotDelegable, SameNode,
        RedelegationCoolingDown, NothingToWithdraw, CommissionTooHigh, CommissionChangeTooLarge,
        CommissionChangedRecently, InvalidSlash, InvalidInfraction,
    )  # fmt: skip

    def __init__(
        self,
        host: Host,
        params: StakingParams,
        accounts: AccountsPort,
        nodes: NodesPort,
        votes: VotesPort,
        rewards: RewardsPort,
    ) -> None:
        super().__init__(host)
        self.params = params
        self.state = StakingState(host.storage)
        self.ledger = Ledger(host, self.state, params, accounts, votes, rewards)
        self._accounts = accounts
        self._nodes = nodes
        self._rewards = rewards

    @method(gas=60_000, payable=True)
    def delegate(self, ctx: Context, node: NodeId) -> None:
        """Bond the value to a node; by its operator it is own stake. The node's tier follows.

        Raises UnknownNode, NotDelegable, BelowMinimum, PoolExhausted, ZeroShares.
        """
        self._check_delegable(ctx, node)
        self._bond(ctx, node, ctx.sender, ctx.value)

    @method(gas=70_000)
    def undelegate(self, ctx: Context, node: NodeId, amount: Wei) -> None:
        """Begin to take wei out of a node, with 2²⁵⁶ − 1 everything; `unbondings` says when it can be withdrawn.

        Raises UnknownNode, NotEnoughStaked, RedelegationCoolingDown, BelowMinimum, OwnStakeTooLow.
        """
        self._unbond(ctx, node, ctx.sender, amount)

    @method(gas=110_000)
    def redelegate(self, ctx: Context, source: NodeId, target: NodeId, amount: Wei) -> None:
        """Move stake to another node at once; it answers for the first, and stays, until unbonding would have ended.

        Raises UnknownNode, SameNode, NotDelegable, NotEnoughStaked, RedelegationCoolingDown, BelowMinimum,
        OwnStakeTooLow, PoolExhausted, ZeroShares.
        """
        if source == target:
            raise SameNode(source)
        self._check_delegable(ctx, target)
        self.ledger.settle_move(ctx, ctx.sender, source)
        held = self.ledger.settle_move(ctx, ctx.sender, target)
        if held is not None:
            raise RedelegationCoolingDown(target, ctx.sender, held.until)
        moved = self.ledger.release(ctx, source, ctx.sender, amount)
        self._check_own(ctx, source, ctx.sender)
        shares = self.ledger.bond(ctx, target, ctx.sender, moved)
        move = self.ledger.keep_liable(ctx, source, target, ctx.sender, moved, shares)
        self.host.emit(Redelegated(source, target, ctx.sender, moved, move.until))
        self._nodes.stake_changed(ctx, source)
        self._nodes.stake_changed(ctx, target)

    @method(gas=60_000)
    def withdraw(self, ctx: Context, node: NodeId) -> Wei:
        """Take what is through with unbonding; returns how much. Raises NothingToWithdraw."""
        paid, ripe, next_at = NO_WEI, 0, _NEVER
        for entry in list(islice(self.ledger.entries(ctx.sender, node), rules.MAX_ENTRIES)):
            if entry.ends > ctx.now:
                next_at = min(next_at or entry.ends, entry.ends)
                continue
            self.ledger.pay_out(ctx.sender, entry)
            paid, ripe = rules.wei(paid + entry.amount), ripe + 1
        if not ripe:
            raise NothingToWithdraw(node, ctx.sender, next_at)
        self.host.pay(ctx.sender, paid)
        self.host.emit(StakeWithdrawn(node, ctx.sender, paid))
        return paid

    @method(gas=40_000)
    def set_commission(self, ctx: Context, node: NodeId, commission: BasisPoints) -> None:
        """What the operator keeps of its delegators' rewards; free to choose while nobody else has delegated.

        Raises UnknownNode, Unauthorized, CommissionTooHigh, CommissionChangedRecently, CommissionChangeTooLarge.
        """
        pool = self.ledger.pool(node)
        if ctx.sender != pool.operator:
            raise Unauthorized(ctx.sender, pool.operator)
        if commission > self.params.max_commission:
            raise CommissionTooHigh(commission, self.params.max_commission)
        if pool.shares != pool.own_shares:
            allowed_from = ChainTime(U64(pool.commission_since + self.params.commission_interval))
            if ctx.now < allowed_from:
                raise CommissionChangedRecently(node, allowed_from)
            change = rules.change(pool.commission, commission)
            if change > self.params.max_commission_change:
                raise CommissionChangeTooLarge(change, self.params.max_commission_change)
        self.state.pools.set(node, pool.but(commission=commission, commission_since=ctx.now))
        self.host.emit(CommissionChanged(node, commission))

    @method(gas=50_000)
    def refresh(self, ctx: Context, node: NodeId, account: Address) -> None:
        """Bring a position up to date: what it owes to slashes of the node it came from, and its voting power.

        Anybody may, for anybody. Raises UnknownNode.
        """
        self.ledger.settle_move(ctx, account, node)
        self.ledger.touch(ctx, account, node)
        self._nodes.stake_changed(ctx, node)

    @view()
    def pool(self, ctx: Context, node: NodeId) -> Pool:
        """All stake bonded to a node. Raises UnknownNode."""
        return self.ledger.pool(node)

    @view(gas=20_000)
    def pools(self, ctx: Context, start: NodeId, limit: U16) -> list[Pool]:
        """Pools from a node's id on, in order; at most 1,000."""
        found = self.state.pools.items(start=start.to_bytes(4, "big"))
        return [pool for _, pool in islice(found, min(limit, rules.MAX_PAGE))]

    @view()
    def stake_of(self, ctx: Context, node: NodeId) -> Wei:
        """What is bonded to a node, own and delegated; 0 for one that never was."""
        return self.stakes(node)[0]

    @view()
    def power_of(self, ctx: Context, account: Address) -> Wei:
        """Bonded FLUX that counts as the account's voting power."""
        return self.state.powers.find(account) or NO_WEI

    @view()
    def delegation(self, ctx: Context, node: NodeId, account: Address) -> Delegation:
        """An account's part of a pool; all zero when it has none. Raises UnknownNode."""
        return self._delegation(node, account)

    @view(gas=20_000)
    def delegations(self, ctx: Context, account: Address, start: NodeId) -> list[Delegation]:
        """An account's parts of pools from a node's id on, by node; at most 128."""
        found = (node for (_, node), _ in self.state.positions.under(account) if node >= start)
        return [self._delegation(node, account) for node in islice(found, rules.MAX_ENTRIES)]

    @view(gas=20_000)
    def unbondings(self, ctx: Context, account: Address) -> list[Unbonding]:
        """What an account has on its way out, by node and time; at most 128."""
        return list(islice(self.ledger.entries(account), rules.MAX_ENTRIES))

    def open(self, ctx: Context, node: NodeId, operator: Address, amount: Wei) -> None:
        """For nodes, which has moved `amount` here: the pool of a new node, with its operator's stake."""
        empty = rules.shares(0)
        pool = Pool(node, operator, NO_WEI, empty, empty, self.params.initial_commission, ctx.now)
        self.state.pools.set(node, pool)
        shares = self.ledger.bond(ctx, node, operator, amount)
        self.host.emit(Delegated(node, operator, amount, shares))

    def compound(self, ctx: Context, node: NodeId, account: Address, amount: Wei) -> None:
        """For rewards, which have moved `amount` here: bond it. Raises NotDelegable, BelowMinimum, PoolExhausted."""
        self._check_delegable(ctx, node)
        self._bond(ctx, node, account, amount)

    def shares_of(self, account: Address, node: NodeId) -> Shares:
        """An account's shares of a node's pool."""
        return self.ledger.position(account, node).shares

    def node_of_operator(self, operator: Address) -> NodeId | None:
        """The first node that an account operates and has stake on, among its first positions."""
        for (_, node), _ in islice(self.state.positions.under(operator), rules.MAX_ENTRIES):
            if self.ledger.pool(node).operator == operator:
                return node
        return None

    def _bond(self, ctx: Context, node: NodeId, account: Address, amount: Wei) -> None:
        self.ledger.settle_move(ctx, account, node)
        shares = self.ledger.bond(ctx, node, account, amount)
        self.host.emit(Delegated(node, account, amount, shares))
        self._nodes.stake_changed(ctx, node)

    def stakes(self, node: NodeId) -> tuple[Wei, Wei]:
        """What is bonded to a node: in all, and the operator's part."""
        pool = self.state.pools.find(node)
        if pool is None:
            return NO_WEI, NO_WEI
        return pool.stake, rules.value_of(pool.own_shares, pool.stake, pool.shares)

    def unbond_own(self, ctx: Context, node: NodeId) -> None:
        """For nodes: the node is gone, so what its operator bonded begins to unbond."""
        operator = self.ledger.pool(node).operator
        move = self.ledger.settle_move(ctx, operator, node)
        locked = 0 if move is None else move.shares
        if self.ledger.position(operator, node).shares > locked:
            self._unbond(ctx, node, operator, rules.wei(EVERYTHING))

    def slash(
        self,
        ctx: Context,
        node: NodeId,
        parts: PartsPerMillion,
        infraction: ChainTime,
        reason: str,
        reporter: Address = ZERO_ADDRESS,
        reward: PartsPerMillion = _NO_PARTS,
    ) -> Wei:
        """For slashing: destroy `parts` of what is bonded and of what began to leave after the infraction.

        Of what is taken the reporter gets `reward` millionths. Returns the wei that were burned now; redelegated stake
        pays its part when it is next touched (`refresh`). Costs the same however many have delegated.

        Raises UnknownNode, InvalidSlash, InvalidInfraction for one that is ahead or older than unbonding takes.
        """
        pool = self.ledger.pool(node)
        if not 0 < parts < rules.MILLION or reward > rules.MILLION:
            raise InvalidSlash(parts, reward)
        earliest = ChainTime(U64(max(0, ctx.now - self.params.unbonding)))
        if not earliest <= infraction <= ctx.now:
            raise InvalidInfraction(infraction, earliest, ctx.now)
        bonded = rules.lost(pool.stake, parts)
        self.state.pools.set(node, pool.but(stake=rules.wei(pool.stake - bonded)))
        leaving = self._slash_batches(ctx, node, parts, infraction)
        taken = rules.wei(bonded + leaving)
        rewarded = NO_WEI if reporter == ZERO_ADDRESS else rules.lost(taken, reward)
        burned = rules.wei(taken - rewarded)
        self.host.burn(burned)
        self._accounts.count_burned(ctx, burned)
        if rewarded:
            self.host.pay(reporter, rewarded)
        self.state.slashed.set(node, ctx.now)
        self._rewards.slashed(ctx, node)
        self.host.emit(Slashed(node, bonded, leaving, rewarded, infraction, reason))
        self._nodes.stake_changed(ctx, node)
        return burned

    def last_slashed(self, node: NodeId) -> ChainTime:
        """For secrets: when stake of the node was last destroyed; 0 for never."""
        return self.state.slashed.find(node) or ChainTime(U64(0))

    def _slash_batches(self, ctx: Context, node: NodeId, parts: PartsPerMillion, infraction: ChainTime) -> Wei:
        taken = 0
        for begins, batch in list(self.ledger.open_batches(node, infraction, ctx.now)):
            gone, moved = rules.lost(batch.amount, parts), rules.lost(batch.moved, parts)
            left = batch.but(amount=rules.wei(batch.amount - gone), moved=rules.wei(batch.moved - moved))
            self.state.batches.set((node, begins), left)
            taken += gone
        return rules.wei(taken)

    def _unbond(self, ctx: Context, node: NodeId, account: Address, amount: Wei) -> None:
        self.ledger.settle_move(ctx, account, node)
        released = self.ledger.release(ctx, node, account, amount)
        self._check_own(ctx, node, account)
        ends = self.ledger.queue(ctx, node, account, released)
        self.host.emit(Undelegated(node, account, released, ends))
        self._nodes.stake_changed(ctx, node)

    def _check_delegable(self, ctx: Context, node: NodeId) -> None:
        if self._nodes.node(ctx, node).status in (NodeStatus.LEAVING, NodeStatus.GONE):
            raise NotDelegable(node)

    def _check_own(self, ctx: Context, node: NodeId, account: Address) -> None:
        """An operator stays liable with a part of its own as long as its node is there."""
        record = self._nodes.node(ctx, node)
        required, left = self._nodes.own_stake_required(record), self.stakes(node)[1]
        if account == record.operator and left < required:
            raise OwnStakeTooLow(node, required, left)

    def _delegation(self, node: NodeId, account: Address) -> Delegation:
        pool, position = self.ledger.pool(node), self.ledger.position(account, node)
        move = self.state.moves.find((account, node))
        value = rules.value_of(position.shares, pool.stake, pool.shares)
        locked = NO_WEI if move is None else rules.value_of(move.shares, pool.stake, pool.shares)
        until = _NEVER if move is None else move.until
        return Delegation(node, account, position.shares, value, position.power, locked, until)
