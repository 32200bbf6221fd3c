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
    NotInCommittee,
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

    def see(self, ctx: Context, reporter: NodeId, epoch: EpochInfo, count: TargetCount) -> U32:
        """Take in what one member saw of one node; what counts of the node's availability now, parts per million.

        Raises UnknownNode, NotInCommittee.
        """
        target = self._committees.record(count.node)
        committee = self._committees.first_under(ctx, target, epoch.seed)
        if reporter not in committee:
            raise NotInCommittee(reporter, target.id, epoch.epoch)
        known = self._state.availabilities.find(target.id)
        if known is None or known.epoch != epoch.epoch:
            self._judge(target, known)
            known = Availability(epoch.epoch, (), tuple(committee))
        known = known.but(seen=(*known.seen, Seen(reporter, rules.availability(count))))
        self._state.availabilities.set(target.id, known)
        return self._less_faults(epoch, target, rules.agreed(known.seen, len(committee)))

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
