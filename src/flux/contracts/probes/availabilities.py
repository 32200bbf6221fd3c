"""How available nodes were: what their committees report after an epoch, less what the nodes did wrong themselves."""

from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.probes import rules
from flux.contracts.probes.committees import Committees
from flux.contracts.probes.conduct import Conducts
from flux.contracts.probes.state import ProbesState
from flux.contracts.probes.types import (
    Availability,
    Epoch,
    EpochInfo,
    ProbesParams,
    Seen,
    TargetCount,
)
from flux.kernel.context import Context
from flux.primitives.types import U32, U64

_UNKNOWN = Availability(Epoch(U64(0)), (), ())


class Availabilities:
    """By node, of the newest epoch that anybody reported on."""

    def __init__(self, state: ProbesState, params: ProbesParams, committees: Committees, conducts: Conducts) -> None:
        self._state = state
        self._params = params
        self._committees = committees
        self._conducts = conducts

    def of(self, node: NodeId) -> Availability:
        """What the committee says of a node; empty when nobody ever reported on it."""
        return self._state.availabilities.find(node) or _UNKNOWN

    def may_report(self, ctx: Context, reporter: NodeId, epoch: EpochInfo, target: Node) -> bool:
        """Whether what the node says of the target in that epoch counts now."""
        return reporter in self._in(ctx, epoch, target).committee

    def see(self, ctx: Context, reporter: NodeId, epoch: EpochInfo, count: TargetCount) -> U32 | None:
        """Take in what one member saw of one node; what counts of the node's availability now, parts per million.

        None where the reporter is not in the node's committee: then nothing was taken in. Raises UnknownNode.
        """
        target = self._committees.record(count.node)
        now = self._in(ctx, epoch, target)
        if reporter not in now.committee:
            return None
        if not now.seen:
            self._judge(target, self._state.availabilities.find(target.id))
        now = now.but(seen=(*now.seen, Seen(reporter, rules.availability(count))))
        self._state.availabilities.set(target.id, now)
        return self._less_faults(epoch, target, rules.agreed(now.seen, len(now.committee)))

    def _in(self, ctx: Context, epoch: EpochInfo, target: Node) -> Availability:
        """What was said of the target in that epoch; by whom it can be is settled by the first report."""
        known = self._state.availabilities.find(target.id)
        if known is not None and known.epoch == epoch.epoch:
            return known
        return Availability(epoch.epoch, (), tuple(self._committees.first_under(ctx, target, epoch.seed)))

    def _judge(self, target: Node, done: Availability | None) -> None:
        """Note of each member whether it said what the committee agreed on; an operator's own nodes are left alone."""
        if done is None or self._committees.is_own(target, done.committee):
            return
        for member, failed in rules.duties(done, self._params.duty_tolerance):
            digest = self._state.digests.find(member)
            if not failed or digest is None or not digest.is_full:
                self._conducts.note_duty(member, failed=failed)

    def _less_faults(self, epoch: EpochInfo, target: Node, availability: U32) -> U32:
        """What is left of a node's availability after what it did wrong."""
        refuted = rules.refuted_in(self._state.refuted.find(target.id), epoch.epoch)
        left = rules.less(availability, refuted * self._params.refuted_loss)
        left = rules.less(left, self._conducts.loss(target.id))
        return left if target.located else rules.less(left, self._params.unlocated_loss)
