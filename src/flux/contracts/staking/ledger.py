"""The books of staking: bonding, releasing, queueing, and what redelegated stake still answers for.

Each step leaves pools, positions, batches and voting power consistent; who may take it is decided in `contract.py`.
"""

from collections.abc import Iterator

from flux.contracts.nodes.types import NodeId, UnknownNode
from flux.contracts.staking import rules
from flux.contracts.staking.ports import AccountsPort, RewardsPort, VotesPort
from flux.contracts.staking.state import StakingState
from flux.contracts.staking.types import (
    EVERYTHING,
    Batch,
    BelowMinimum,
    Move,
    MoveSlashed,
    NotEnoughStaked,
    Pool,
    PoolExhausted,
    Position,
    RedelegationCoolingDown,
    Shares,
    StakingParams,
    Unbonding,
    ZeroShares,
)
from flux.kernel.context import Context, Host
from flux.primitives.types import NO_WEI, U64, Address, ChainTime, Wei

NO_SHARES = rules.shares(0)
_NO_POSITION = Position(NO_SHARES, NO_WEI)


class Ledger:
    """Pools, positions and batches over one state."""

    def __init__(
        self,
        host: Host,
        state: StakingState,
        params: StakingParams,
        accounts: AccountsPort,
        votes: VotesPort,
        rewards: RewardsPort,
    ) -> None:
        self._host = host
        self._state = state
        self._params = params
        self._accounts = accounts
        self._votes = votes
        self._rewards = rewards

    def pool(self, node: NodeId) -> Pool:
        """The pool of a node. Raises UnknownNode."""
        pool = self._state.pools.find(node)
        if pool is None:
            raise UnknownNode(node)
        return pool

    def position(self, account: Address, node: NodeId) -> Position:
        """An account's part of a pool; nothing when there is none."""
        return self._state.positions.find((account, node)) or _NO_POSITION

    def bond(self, ctx: Context, node: NodeId, account: Address, amount: Wei) -> Shares:
        """Add wei that this contract holds already. Raises BelowMinimum, PoolExhausted, ZeroShares."""
        pool = self.pool(node)
        if amount < self._params.min_delegation:
            raise BelowMinimum(self._params.min_delegation, amount)
        if rules.is_exhausted(pool.stake, pool.shares):
            raise PoolExhausted(node)
        bought = rules.shares_for(amount, pool.stake, pool.shares)
        if bought == 0:
            raise ZeroShares(node, amount)
        self._change(ctx, pool, account, amount, bought)
        return bought

    def release(self, ctx: Context, node: NodeId, account: Address, amount: Wei) -> Wei:
        """Take wei out of a position; EVERYTHING takes all that is not locked. Returns how much it was.

        Raises NotEnoughStaked, RedelegationCoolingDown, BelowMinimum for a remainder that is too small.
        """
        pool, position = self.pool(node), self.position(account, node)
        move = self._state.moves.find((account, node))
        locked = NO_SHARES if move is None else move.shares
        free = rules.shares(position.shares - locked)
        available = rules.value_of(free, pool.stake, pool.shares)
        if free == 0 and move is not None:
            raise RedelegationCoolingDown(node, account, move.until)
        if free == 0 or (amount != EVERYTHING and amount > available):
            raise NotEnoughStaked(node, account, available, amount)
        if amount == 0:
            raise BelowMinimum(rules.wei(1), amount)
        if amount in (EVERYTHING, available):
            sold, paid = free, available
        else:
            sold, paid = rules.shares_of(amount, pool.stake, pool.shares), amount
            left = rules.value_of(position.shares - sold, pool.stake - paid, pool.shares - sold)
            if left < self._params.min_delegation:
                raise BelowMinimum(self._params.min_delegation, left)
        self._change(ctx, pool, account, -paid, -sold)
        return paid

    def queue(self, ctx: Context, node: NodeId, account: Address, amount: Wei) -> ChainTime:
        """Put released wei into the batch of this step of time. Returns when they will be free."""
        begins, batch = self._current_batch(ctx, node)
        units = rules.shares_for(amount, batch.amount, batch.units)
        self._state.batches.set(
            (node, begins),
            batch.but(amount=rules.wei(batch.amount + amount), units=rules.shares(batch.units + units)),
        )
        held = self._state.entries.find((account, node, begins)) or 0
        self._state.entries.set((account, node, begins), rules.shares(held + units))
        return batch.ends

    def keep_liable(
        self, ctx: Context, source: NodeId, target: NodeId, account: Address, moved: Wei, to: Shares
    ) -> Move:
        """Note that redelegated wei answer for the node they left until its unbonding would have ended."""
        begins, batch = self._current_batch(ctx, source)
        units = rules.shares_for(moved, batch.moved, batch.moved_units)
        batch = batch.but(moved=rules.wei(batch.moved + moved), moved_units=rules.shares(batch.moved_units + units))
        self._state.batches.set((source, begins), batch)
        amount = rules.surviving(units, batch.moved, batch.moved_units, moved)
        move = Move(source, begins, units, amount, to, batch.ends)
        self._state.moves.set((account, target), move)
        return move

    def settle_move(self, ctx: Context, account: Address, node: NodeId) -> Move | None:
        """Take from redelegated stake what slashes of its source took; free it when its time is over.

        Returns what still answers for its source. Every path to a position comes through here first.
        """
        move = self._state.moves.find((account, node))
        if move is None:
            return None
        batch = self._state.batches.get((move.source, move.begins))
        left = rules.surviving(move.units, batch.moved, batch.moved_units, move.amount)
        if left < move.amount:
            gone = rules.lost_shares(move.shares, move.amount, left)
            self._burn(ctx, account, node, move.source, gone)
            move = move.but(amount=left, shares=rules.shares(move.shares - gone))
        if ctx.now < move.until and move.shares:
            self._state.moves.set((account, node), move)
            return move
        worth = rules.value_of(move.units, batch.moved, batch.moved_units)
        self._set_batch(
            move.source,
            move.begins,
            batch.but(moved=rules.wei(batch.moved - worth), moved_units=rules.shares(batch.moved_units - move.units)),
        )
        self._state.moves.delete((account, node))
        return None

    def touch(self, ctx: Context, account: Address, node: NodeId) -> None:
        """Count a position's voting power at what its shares are worth now."""
        pool, position = self.pool(node), self.position(account, node)
        power = rules.value_of(position.shares, pool.stake, pool.shares)
        if power != position.power:
            self._set_position(ctx, account, node, position, position.but(power=power))

    def open_batches(self, node: NodeId, after: ChainTime, now: ChainTime) -> Iterator[tuple[ChainTime, Batch]]:
        """Batches of a node that begin to unbond after some time and are not through yet."""
        start = node.to_bytes(4, "big") + (after + 1).to_bytes(8, "big")
        for (owner, begins), batch in self._state.batches.items(start=start):
            if owner != node:
                return
            if batch.ends > now:
                yield begins, batch

    def entries(self, account: Address, node: NodeId | None = None) -> Iterator[Unbonding]:
        """What an account has on its way out, by node and time."""
        head = account if node is None else account + node.to_bytes(4, "big")
        for (_, of, begins), units in self._state.entries.under(head):
            batch = self._state.batches.get((of, begins))
            yield Unbonding(of, rules.value_of(units, batch.amount, batch.units), begins, batch.ends)

    def pay_out(self, account: Address, entry: Unbonding) -> None:
        """Take an entry off the books; its wei are the caller's to pay."""
        units = self._state.entries.get((account, entry.node, entry.begins))
        batch = self._state.batches.get((entry.node, entry.begins))
        self._state.entries.delete((account, entry.node, entry.begins))
        rest = batch.but(amount=rules.wei(batch.amount - entry.amount), units=rules.shares(batch.units - units))
        self._set_batch(entry.node, entry.begins, rest)

    def _current_batch(self, ctx: Context, node: NodeId) -> tuple[ChainTime, Batch]:
        """The batch that takes what leaves a node now."""
        begins = rules.begins(ctx.now, self._params.unbonding_step)
        ends = ChainTime(U64(begins + self._params.unbonding))
        empty = Batch(ends, NO_WEI, NO_SHARES, NO_WEI, NO_SHARES)
        return begins, self._state.batches.find((node, begins)) or empty

    def _set_batch(self, node: NodeId, begins: ChainTime, batch: Batch) -> None:
        if batch.units or batch.moved_units:
            self._state.batches.set((node, begins), batch)
        else:
            self._state.batches.delete((node, begins))

    def _burn(self, ctx: Context, account: Address, node: NodeId, source: NodeId, gone: Shares) -> None:
        pool = self.pool(node)
        burned = rules.value_of(gone, pool.stake, pool.shares)
        self._change(ctx, pool, account, -burned, -gone)
        self._host.burn(burned)
        self._accounts.count_burned(ctx, burned)
        self._host.emit(MoveSlashed(node, account, source, burned))

    def _change(self, ctx: Context, pool: Pool, account: Address, amount: int, shares: int) -> None:
        """Move a pool and one position in it by wei and shares."""
        position = self.position(account, pool.node)
        self._rewards.position_changing(ctx, pool.node, account, position.shares, pool.shares)
        own = shares if account == pool.operator else 0
        pool = pool.but(
            stake=rules.wei(pool.stake + amount),
            shares=rules.shares(pool.shares + shares),
            own_shares=rules.shares(pool.own_shares + own),
        )
        self._state.pools.set(pool.node, pool)
        held = rules.shares(position.shares + shares)
        power = rules.value_of(held, pool.stake, pool.shares)
        self._set_position(ctx, account, pool.node, position, Position(held, power))

    def _set_position(self, ctx: Context, account: Address, node: NodeId, before: Position, after: Position) -> None:
        if after.shares:
            self._state.positions.set((account, node), after)
        else:
            self._state.positions.delete((account, node))
        if after.power != before.power:
            power = rules.wei((self._state.powers.find(account) or 0) - before.power + after.power)
            self._state.powers.set(account, power)
            self._votes.power_changed(ctx, account, power)
