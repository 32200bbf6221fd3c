"""Events of an app as sentences. Pure: what happened, to which instance, and why, in the words of the chain."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flux.cli import format as show
from flux.cli import words
from flux.cli.verdicts import place
from flux.contracts.apps.types import AppDeployed, AppStatusChanged, AppUpdated
from flux.contracts.escrow.types import Depleted, Deposited, HostPaid, Refunded
from flux.contracts.market.rollout_types import RolloutChanged, RolloutDoubted, RolloutState
from flux.contracts.market.standby_types import (
    StandbyChosen,
    StandbyDoubted,
    StandbyEnded,
    StandbyReady,
    StandbyRenewed,
    StandbyUsed,
)
from flux.contracts.market.types import (
    FailReason,
    InstanceFenced,
    InstancePending,
    LeaseAssigned,
    LeaseClosed,
    LeaseId,
    LeaseRestored,
    LeaseResumed,
    LeaseRunning,
    LeaseStalled,
    LeaseSuspect,
    Rejection,
    VolumesKept,
)
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.secrets.types import KeepersLow, PrivateHalfPublished, SeedSealed, SeedShared
from flux.kernel.events import Event
from flux.sdk.history import Happened


@dataclass(frozen=True, slots=True)
class Told:
    """One event in words."""

    happened: Happened
    ordinal: int | None
    """The instance it is about; None for the app as a whole."""
    sentence: str


@dataclass(slots=True)
class Story:
    """Tells events in order; remembers leases, so that later events can name the instance."""

    nodes: Mapping[NodeId, Node]
    _leases: dict[LeaseId, LeaseAssigned] = field(default_factory=dict)
    _assigned_at: dict[LeaseId, int] = field(default_factory=dict)
    _opened: set[LeaseId] = field(default_factory=set)
    """Leases that were given the seed."""

    def tell(self, history: Sequence[Happened]) -> list[Told]:
        """Every event that has a sentence."""
        told = []
        for happened in history:
            event = happened.event
            if isinstance(event, LeaseAssigned):
                self._leases[event.lease] = event
                self._assigned_at[event.lease] = happened.timestamp
            sentence = self._sentence(happened)
            if sentence:
                told.append(Told(happened, self._ordinal(event), sentence))
        return told

    def _ordinal(self, event: Event) -> int | None:
        if isinstance(event, InstancePending | InstanceFenced):
            return event.ordinal
        lease = self._leases.get(getattr(event, "lease", LeaseId(0)))  # type: ignore[arg-type]
        return None if lease is None else lease.ordinal

    def _sentence(self, happened: Happened) -> str:
        teller = _TELLERS.get(type(happened.event))
        return "" if teller is None else teller(self, happened.event, happened)

    def _node(self, number: NodeId) -> str:
        node = self.nodes.get(number)
        return f"node {number}" if node is None else f"node {number} ({place(node)})"

    def _assigned(self, event: LeaseAssigned, _: Happened) -> str:
        instead = ""
        if event.replaces:
            old = self._leases.get(event.replaces)
            instead = f", in place of lease {event.replaces}" + ("" if old is None else f" on node {old.node}")
        rate = show.per_hour(event.rate)
        return f"placed on {self._node(event.node)} at {rate} (lease {event.lease}, revision {event.revision}){instead}"

    def _fenced(self, event: InstanceFenced, happened: Happened) -> str:
        return f"no other instance starts until lease {event.lease} has stopped for sure: at most one may run"

    def _kept(self, event: VolumesKept, _: Happened) -> str:
        return f"{self._node(event.node)} was chosen because it holds the instance's volumes"

    def _used(self, event: StandbyUsed, _: Happened) -> str:
        return f"{self._node(event.node)} was chosen because it stood by with the images"

    def _next_in_line(self, event: StandbyChosen, _: Happened) -> str:
        rate = show.per_hour(event.rate)
        return f"{self._node(event.node)} is next in line: it fetches the images, for {rate} once it holds them"

    def _holds(self, event: StandbyReady, _: Happened) -> str:
        return f"{self._node(event.node)} stands by: it holds the images, and is paid for that"

    def _doubted(self, event: StandbyDoubted, _: Happened) -> str:
        return f"{self._node(event.node)}, which stands by, was not reached by its committee: it is not paid for now"

    def _renewed(self, event: StandbyRenewed, _: Happened) -> str:
        now = "holds the images already" if event.ready else "has other images to fetch"
        rate = show.per_hour(event.rate)
        return f"{self._node(event.node)} stands by for revision {event.revision} and {now}, for {rate}"

    def _let_go(self, event: StandbyEnded, _: Happened) -> str:
        return f"{self._node(event.node)} stands by no longer: {words.standby_end(event.reason)}"

    def _running(self, event: LeaseRunning, happened: Happened) -> str:
        begun = self._assigned_at.get(event.lease)
        took = "" if begun is None else f", {show.duration(happened.timestamp - begun)} after its placement"
        return f"runs on {self._node(event.node)}{took}; billing starts"

    def _closed(self, event: LeaseClosed, _: Happened) -> str:
        detail = f" ({event.detail})" if event.detail else ""
        name = words.failure_name(event.reason, event.detail)
        if name is not None:
            said = event.detail.partition(":")[2].strip()
            why = words.FAIL_REASONS[FailReason[name.upper()]]
            detail = f": {why}" + (f" ({said})" if said else "")
        return f"ended on {self._node(event.node)}: {words.close_reason(event.reason)}{detail}"

    def _suspect(self, event: LeaseSuspect, _: Happened) -> str:
        return (
            f"{self._node(event.node)} was not reached by most of its committee: billing stops, and "
            "a replacement is placed unless so much is lost at once that the mass-failure brake holds"
        )

    def _restored(self, event: LeaseRestored, _: Happened) -> str:
        return f"{self._node(event.node)} answered again: the instance goes on there"

    def _stalled(self, event: LeaseStalled, _: Happened) -> str:
        return f"stopped on {self._node(event.node)}, which waits before it starts it again: billing stops"

    def _resumed(self, event: LeaseResumed, _: Happened) -> str:
        return f"runs on {self._node(event.node)} again: billing goes on"

    def _pending(self, event: InstancePending, _: Happened) -> str:
        return f"waits, no node can take it: {rejections(event.rejections)}"

    def _sealed(self, event: SeedSealed, _: Happened) -> str:
        again = " once more" if event.lease in self._opened else ""
        self._opened.add(event.lease)
        return f"lease {event.lease} was given the seed of the private half{again}"

    def _paid(self, event: HostPaid, _: Happened) -> str:
        amount = f"{show.flux(event.amount)} for {show.duration(event.seconds)}, fee {show.flux(event.fee)}"
        return f"the operator of {self._node(event.node)} was paid {amount}"


def rejections(counts: Sequence[int]) -> str:
    """Counts by reason, as the chain gives them, in words."""
    parts = []
    for number, amount in enumerate(counts):
        if amount and number != Rejection.NONE:
            try:
                reason = words.rejection(Rejection(number))
            except ValueError:
                reason = f"reason {number}"
            parts.append((amount, f"{show.count(amount, 'node')}: {reason}"))
    return "; ".join(text for _, text in sorted(parts, key=lambda part: -part[0])) or "there are no nodes"


def _deployed(_: Story, event: AppDeployed, __: Happened) -> str:
    return f"deployed as {event.name} by {show.address(event.owner)}, {show.count(event.instances, 'instance')} wanted"


def _updated(_: Story, event: AppUpdated, __: Happened) -> str:
    return f"revision {event.revision}, {show.count(event.instances, 'instance')} wanted"


def _rollout(_: Story, event: RolloutChanged, __: Happened) -> str:
    way, why = f"to revision {event.target}", f": {event.reason}" if event.reason else ""
    match event.state:
        case RolloutState.ROLLING:
            return f"the rollout {way} begins" + (f"; {event.source} ran last" if event.source else "")
        case RolloutState.ROLLING_BACK:
            return f"the rollout {way} failed, everything goes back to revision {event.source}{why}"
        case RolloutState.DONE:
            return f"the rollout {way} is done"
        case RolloutState.FAILED:
            return f"the rollout {way} has failed{why}"
        case RolloutState.PAUSED:
            return f"the rollout {way} is paused until its owner decides{why}"
    return f"the rollout {way} is in state {event.state}"


def _doubted(_: Story, event: RolloutDoubted, __: Happened) -> str:
    return f"{event.reason}; that counts against revision {event.revision} when a node of another operator confirms it"


def _status(_: Story, event: AppStatusChanged, __: Happened) -> str:
    return f"the app is now {words.status_word('app', event.status)}"


def _deposited(_: Story, event: Deposited, __: Happened) -> str:
    return f"{show.address(event.payer)} paid in {show.flux(event.amount)}"


def _depleted(_: Story, __: Depleted, ___: Happened) -> str:
    return "the balance ran out: instances stop, volumes are kept for a while"


def _refunded(_: Story, event: Refunded, __: Happened) -> str:
    return f"{show.flux(event.amount)} went back to {show.address(event.payer)}"


def _published(_: Story, event: PrivateHalfPublished, __: Happened) -> str:
    return f"the encrypted private half of revision {event.revision} is on chain"


def _shared(_: Story, event: SeedShared, __: Happened) -> str:
    return (
        f"{show.count(event.keepers, 'node')} keep shares of the seed of revision {event.revision}"
        f" (generation {event.generation}); any {event.threshold} open it"
    )


def _low(_: Story, event: KeepersLow, __: Happened) -> str:
    return (
        f"too few keepers: {event.left} hold shares of the seed of revision {event.revision} and {event.threshold} are"
        " needed to open it"
    )


_TELLERS: dict[type[Event], Callable[[Story, Any, Happened], str]] = {
    LeaseAssigned: Story._assigned,
    LeaseRunning: Story._running,
    InstanceFenced: Story._fenced,
    VolumesKept: Story._kept,
    StandbyUsed: Story._used,
    StandbyChosen: Story._next_in_line,
    StandbyReady: Story._holds,
    StandbyDoubted: Story._doubted,
    StandbyRenewed: Story._renewed,
    StandbyEnded: Story._let_go,
    LeaseClosed: Story._closed,
    LeaseSuspect: Story._suspect,
    LeaseRestored: Story._restored,
    LeaseStalled: Story._stalled,
    LeaseResumed: Story._resumed,
    InstancePending: Story._pending,
    HostPaid: Story._paid,
    AppDeployed: _deployed,
    AppUpdated: _updated,
    RolloutChanged: _rollout,
    RolloutDoubted: _doubted,
    AppStatusChanged: _status,
    Deposited: _deposited,
    Depleted: _depleted,
    Refunded: _refunded,
    PrivateHalfPublished: _published,
    SeedSealed: Story._sealed,
    SeedShared: _shared,
    KeepersLow: _low,
}
