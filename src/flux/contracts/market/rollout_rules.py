"""Pure decisions of rolling updates: what holds the next instance back, what counts as a failure, when it is over."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flux.contracts.apps.types import AppSpec, Revision, Update
from flux.contracts.market.rollout_types import Rollout, RolloutState
from flux.contracts.market.types import CloseReason, Lease, LeaseState, Waiting
from flux.primitives.types import U32, U64, ChainTime

DEFAULT_UPDATE = Update()
MAX_REASON = 300
NO_REVISION = Revision(U32(0))
NEVER = ChainTime(U64(0))
NO_ROLLOUT = Rollout(RolloutState.NONE, NO_REVISION, NO_REVISION, U32(0), U32(0), NEVER, NEVER, NEVER, NEVER, "", ())
MOVING = (RolloutState.ROLLING, RolloutState.ROLLING_BACK)
MOST_ALONE = 3
"""Failures at nodes of one operator that need no confirmation by another's."""
_FAULTS = (CloseReason.START_FAILED, CloseReason.START_TIMEOUT, CloseReason.CRASHED)
"""What a revision can be blamed for; a node that is lost or leaves is not."""


def update_of(spec: AppSpec) -> Update:
    """How the revision of a spec comes in."""
    return spec.update or DEFAULT_UPDATE


def hold_of(update: Update) -> int:
    """Seconds between an instance that runs and the next one."""
    return max(update.delay_seconds, update.monitor_seconds)


class Going(NamedTuple):
    """What decides whether an instance is on its way."""

    revision: Revision
    """The current one."""
    since: ChainTime
    """When instances began to come to it."""
    hold: int
    now: ChainTime


def is_on_its_way(lease: Lease, going: Going) -> bool:
    """Whether an instance of the current revision is still to start, or did so a moment ago: others wait for it."""
    if lease.revision != going.revision:
        return False
    if lease.state is LeaseState.ASSIGNED:
        return True
    came = lease.state is LeaseState.RUNNING and lease.assigned_at >= going.since
    return came and going.now < lease.running_at + going.hold


def is_untried(waiting: Waiting) -> bool:
    """Whether no block has looked for a node yet."""
    return not waiting.rejections


def why_revised(lease: Lease, by: Revision) -> CloseReason:
    """Why a lease gives way to one of another revision."""
    return CloseReason.UPDATED if by > lease.revision else CloseReason.ROLLED_BACK


def is_fault(lease: Lease, reason: CloseReason, update: Update, now: ChainTime) -> bool:
    """Whether a lease that ended speaks against its revision: it never ran, or not for as long as it is watched."""
    if reason not in _FAULTS:
        return False
    return lease.running_at == NEVER or now <= lease.running_at + update.monitor_seconds


def find_good(known: Rollout, before: Revision, leases: Iterable[Lease]) -> Revision:
    """The last revision that was seen to run, when another one comes; 0 for none. `leases` are those of `before`."""
    if known.state is RolloutState.NONE:
        return before if any(lease.running_at != NEVER for lease in leases) else NO_REVISION
    if known.state is RolloutState.DONE:
        return before
    return known.source


def is_over(leases: Sequence[Lease], waiting: Iterable[Waiting], going: Going) -> bool:
    """Whether everything that has a lease runs the current revision, and nothing is on its way."""
    if any(lease.revision != going.revision for lease in leases) or any(is_untried(item) for item in waiting):
        return False
    if any(is_on_its_way(lease, going) for lease in leases):
        return False
    return any(lease.running_at != NEVER for lease in leases)


def shares_volumes(spec: AppSpec, other: AppSpec) -> bool:
    """Whether an instance that goes from one to the other keeps data."""
    names = [volume.name for volume in other.volumes]
    return any(volume.name in names for volume in spec.volumes)


def may_return(rollout: Rollout) -> bool:
    """Whether there is something good to go back to, and this is not it."""
    return rollout.source not in (NO_REVISION, rollout.target)


def is_closed(rollout: Rollout, current: Revision) -> bool:
    """Whether nothing that happens to leases changes the record any more."""
    if rollout.state is RolloutState.FAILED:
        return current != rollout.target
    return rollout.state in (RolloutState.NONE, RolloutState.DONE)


def goes_on(rollout: Rollout, update: Update) -> bool:
    """Whether a failure is only counted: because that is wanted, or because there never was anything better."""
    return update.on_failure == "continue" or (update.on_failure == "rollback" and rollout.source == NO_REVISION)
