"""The record of each app's last change of revision: begins, comes further, fails, turns back, ends.

`succession.py` moves the instances; here is what is remembered of it and when to look again. Every entry of scheduled
work belongs to a transaction of the owner or to a lease, which paid for it.
"""

from flux.contracts.apps.types import App, AppId, Revision, Update
from flux.contracts.market.book import ROLLOUT_GATE, Book
from flux.contracts.market.rollout_rules import (
    MAX_REASON,
    MOST_ALONE,
    MOVING,
    NEVER,
    NO_ROLLOUT,
    Going,
    find_good,
    goes_on,
    hold_of,
    is_closed,
    is_over,
    may_return,
    update_of,
)
from flux.contracts.market.rollout_types import Rollout, RolloutChanged, RolloutDoubted, RolloutState
from flux.contracts.market.types import Lease
from flux.contracts.nodes.types import NodeId
from flux.kernel.context import Context
from flux.primitives.types import U8, U32, U64, ChainTime

UNTRIED_DELAY = 1
"""Seconds after which an instance is looked at again that no block has tried to place yet."""


class Rollouts:
    """Records by app."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def find(self, app: AppId) -> Rollout:
        """The last change of revision; one in state NONE where there was none."""
        return self._book.state.rollouts.find(app) or NO_ROLLOUT

    def forget(self, app: AppId) -> None:
        """The app is closed."""
        self._book.state.rollouts.delete(app)

    def update_of(self, record: App) -> Update:
        """How the current revision comes in."""
        return update_of(self._book.spec(record.id, record.revision))

    def going(self, ctx: Context, record: App) -> Going:
        """What decides which instances are on their way."""
        rollout = self.find(record.id)
        since = rollout.turned_at or rollout.started_at
        return Going(record.revision, since, hold_of(self.update_of(record)), ctx.now)

    def goes_on(self, record: App) -> bool:
        """Whether a failure is only counted."""
        return goes_on(self.find(record.id), self.update_of(record))

    def begin(self, ctx: Context, record: App, before: Revision, leases: list[Lease]) -> None:
        """The owner chose another revision; `leases` are all that are known of the app."""
        ran = [lease for lease in leases if lease.revision == before]
        good = find_good(self.find(record.id), before, ran)
        none = U32(0)
        fresh = Rollout(RolloutState.ROLLING, good, record.revision, none, none, ctx.now, NEVER, ctx.now, NEVER, "", ())
        self._set(record, fresh)
        self._expect(ctx, record)

    def step(self, ctx: Context, record: App) -> None:
        """An instance of the current revision came to run."""
        rollout = self.find(record.id)
        if is_closed(rollout, record.revision):
            return
        further = rollout.but(steps=U32(rollout.steps + 1), moved_at=ctx.now)
        self._book.state.rollouts.set(record.id, further)
        self.look_again(ctx, record, hold_of(self.update_of(record)))
        self._expect(ctx, record)

    def wait_anew(self, ctx: Context, record: App) -> None:
        """The owner changed something: what holds it up may be gone."""
        rollout = self.find(record.id)
        if rollout.state in MOVING:
            self._book.state.rollouts.set(record.id, rollout.but(moved_at=ctx.now))
            self._expect(ctx, record)

    def look_again(self, ctx: Context, record: App, seconds: int = UNTRIED_DELAY) -> None:
        """Have the app looked at in a while."""
        self._look_at(record, ctx.now + seconds)

    def is_held_up(self, ctx: Context, record: App) -> bool:
        """Whether the mass-failure brake holds, so that a standstill says nothing; it is looked at again later.

        At most once in each `rollout_deadline`, whoever asks how often.
        """
        if self._book.probes.calm_since() is not None:
            return False
        period = self._book.params.rollout_deadline
        self._look_at(record, (ctx.now // period + 1) * period)
        return True

    def has_come_no_further(self, ctx: Context, record: App) -> bool:
        """Whether nothing happened for as long as a rollout may stand still, which begins anew after the brake held."""
        ends = self._patience_ends(record, self.find(record.id))
        if ctx.now < ends:
            self._look_at(record, ends)
            return False
        return True

    def doubt(self, ctx: Context, record: App, node: NodeId, why: str) -> bool:
        """A node failed a step. True when another operator's node must fail one too before that speaks against it."""
        rollout = self.find(record.id)
        if goes_on(rollout, self.update_of(record)):
            return False
        failed_on = (*rollout.failed_on, node)
        operators = dict.fromkeys(self._book.nodes.node(ctx, failed).operator for failed in failed_on)
        if len(operators) > 1 or len(failed_on) >= MOST_ALONE:
            return False
        reason = (rollout.reason or why)[:MAX_REASON]
        doubted = rollout.but(failures=U32(rollout.failures + 1), failed_on=failed_on, moved_at=ctx.now, reason=reason)
        self._book.state.rollouts.set(record.id, doubted)
        self._book.host.emit(RolloutDoubted(record.id, node, record.revision, why[:MAX_REASON]))
        self._expect(ctx, record)
        return True

    def fail(self, ctx: Context, record: App, why: str) -> bool:
        """A step failed, or none could be made. True when the app is on its way back: its record changed."""
        rollout = self.find(record.id)
        reason = f"{rollout.reason}; {why}" if rollout.failed_on else rollout.reason or why
        failed = rollout.but(failures=U32(rollout.failures + 1), reason=reason[:MAX_REASON], failed_on=())
        update = self.update_of(record)
        if rollout.state is RolloutState.ROLLING_BACK:
            self._end(ctx, record, failed, RolloutState.PAUSED, f"{rollout.reason}; going back failed too: {why}")
        elif goes_on(rollout, update):
            self._book.state.rollouts.set(record.id, failed)
        elif update.on_failure == "pause" or not may_return(rollout):
            self._end(ctx, record, failed, RolloutState.PAUSED, failed.reason)
        elif self._book.apps.return_to(ctx, record.id, rollout.source):
            back = failed.but(state=RolloutState.ROLLING_BACK, steps=U32(0), turned_at=ctx.now, moved_at=ctx.now)
            self._set(record, back)
            returned = self._book.apps.app(ctx, record.id)
            self._expect(ctx, returned)
            self._book.look_at_standbys(returned)
            return True
        else:
            why = f"{failed.reason}; revision {rollout.source} may not run any more"
            self._end(ctx, record, failed, RolloutState.PAUSED, why)
        return False

    def give_up(self, ctx: Context, record: App) -> None:
        """What could be done is done, and steps failed."""
        rollout = self.find(record.id)
        if rollout.state in MOVING:
            self._end(ctx, record, rollout, RolloutState.FAILED, rollout.reason)

    def settle(self, ctx: Context, record: App) -> None:
        """End the rollout when everything that has a lease is where it should be."""
        rollout = self.find(record.id)
        if is_closed(rollout, record.revision):
            return
        leases, waiting = self._book.open_of_app(record.id), [item for _, item in self._book.waiting_of(record.id)]
        if is_over(leases, waiting, self.going(ctx, record)):
            end = RolloutState.DONE if record.revision == rollout.target else RolloutState.FAILED
            self._end(ctx, record, rollout, end, rollout.reason)

    def _expect(self, ctx: Context, record: App) -> None:
        """Have the app looked at when the patience with it ends."""
        self._look_at(record, self._patience_ends(record, self.find(record.id)))

    def _look_at(self, record: App, due: int) -> None:
        self._book.host.schedule(ChainTime(U64(due)), ROLLOUT_GATE, record.id)

    def _patience_ends(self, record: App, rollout: Rollout) -> int:
        since = max(rollout.moved_at, self._book.probes.calm_since() or NEVER)
        return since + hold_of(self.update_of(record)) + self._book.params.rollout_deadline

    def _end(self, ctx: Context, record: App, rollout: Rollout, state: RolloutState, reason: str) -> None:
        self._set(record, rollout.but(state=state, ended_at=ctx.now, reason=reason[:MAX_REASON]))

    def _set(self, record: App, rollout: Rollout) -> None:
        self._book.state.rollouts.set(record.id, rollout)
        self._book.host.emit(
            RolloutChanged(record.id, U8(rollout.state), rollout.source, rollout.target, rollout.reason)
        )
