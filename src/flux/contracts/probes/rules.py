"""Committees and quorums: pure draws from a seed. Nobody chooses who watches whom."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import (
    MAX_TARGETS,
    Availability,
    Conduct,
    Epoch,
    InvalidCounts,
    Refuted,
    Seen,
    TargetCount,
)
from flux.primitives.draw import draw_numbers
from flux.primitives.types import U16, U32, U64, ChainTime, Hash, Seconds

FIRST = b"first"
SECOND = b"second"
UNSEEN = 2
"""Seconds between a member's last good probe and its vote: two failed probes, one a second (agent/probes)."""
MILLION = 1_000_000
LEAST_JUDGED = 3
"""Members of a committee whose reports are compared."""


def candidates(seed: Hash, purpose: bytes, node: NodeId, highest: U32, seats: int) -> Iterator[NodeId]:
    """Node ids in drawn order, repeated and absent ones included; a bounded number."""
    base = seed + purpose + node.to_bytes(4, "big")
    for drawn in draw_numbers(base, highest, seats):
        yield NodeId(U32(drawn))


def is_quorum(votes: int, members: int) -> bool:
    """More than half. A committee of one decides alone, of two only together."""
    return members > 0 and 2 * votes > members


def is_doubt(votes: int, members: int) -> bool:
    """More than a third: what a committee may still say when half of it is lost too."""
    return 3 * votes > members


def present(reporters: Sequence[NodeId], committee: Sequence[NodeId]) -> int:
    """How many of the reporters sit in the committee now: a new epoch draws another one."""
    return sum(reporter in committee for reporter in reporters)


def is_open(first_vote_at: ChainTime, now: ChainTime, window: Seconds) -> bool:
    """Whether votes since `first_vote_at` still count together."""
    return now - first_vote_at <= window


def check_counts(counts: Sequence[TargetCount]) -> None:
    """Each target once, in order, asked at least once. Raises InvalidCounts."""
    if not 0 < len(counts) <= MAX_TARGETS:
        raise InvalidCounts(f"a report names 1–{MAX_TARGETS} nodes, not {len(counts)}")
    for before, count in pairwise(counts):
        if before.node >= count.node:
            raise InvalidCounts(f"node {count.node} stands after node {before.node}")
    for count in counts:
        if not count.asked > 0 or count.answered > count.asked:
            raise InvalidCounts(f"node {count.node} answered {count.answered} of {count.asked} probes")


def availability(count: TargetCount) -> U32:
    """Share of probes answered, in parts per million."""
    return U32(count.answered * MILLION // count.asked)


def agreed(seen: Sequence[Seen], members: int) -> U32:
    """The median of what members saw, the lower one of two; nothing before more than half of them spoke."""
    if not is_quorum(len(seen), members):
        return U32(0)
    return sorted(item.availability for item in seen)[(len(seen) - 1) // 2]


def last_seen(first_vote_at: ChainTime) -> ChainTime:
    """When the committee last saw the node serve."""
    return ChainTime(U64(max(0, first_vote_at - UNSEEN)))


def refuted(known: Refuted | None, epoch: Epoch) -> Refuted:
    """One contradicted suspicion more."""
    if known is None or known.epoch + 1 < epoch:
        return Refuted(epoch, U16(1), U16(0))
    if known.epoch == epoch:
        return known.but(count=U16(known.count + 1))
    return Refuted(epoch, U16(1), known.count)


def refuted_in(known: Refuted | None, epoch: Epoch) -> int:
    """How many were contradicted in an epoch."""
    if known is None:
        return 0
    return known.count if known.epoch == epoch else known.before if known.epoch == epoch + 1 else 0


def less(availability: U32, loss: int) -> U32:
    """Availability less a part of it; parts per million, all of it at most."""
    return U32(availability * max(0, MILLION - loss) // MILLION)


def duties(done: Availability, tolerance: U32) -> list[tuple[NodeId, bool]]:
    """Each member and whether it failed to say what the committee agreed on.

    In a committee of two nobody can say which of them is wrong. Without a quorum there is nothing to differ from.
    """
    if len(done.committee) < LEAST_JUDGED:
        return []
    said = {item.reporter: item.availability for item in done.seen}
    middle = agreed(done.seen, len(done.committee))
    has_quorum = is_quorum(len(done.seen), len(done.committee))
    return [
        (member, member not in said or (has_quorum and abs(said[member] - middle) > tolerance))
        for member in done.committee
    ]


def averaged(average: U32, window: int, *, failed: bool) -> U32:
    """A moving average after one event more (exponential smoothing with weight 1 / window)."""
    kept = average * (window - 1) // window
    return U32(kept + MILLION // window if failed else kept)


def conduct_loss(conduct: Conduct | None, allowance: int) -> int:
    """What conduct takes of availability: nothing up to the allowance, all at twice it; the worse of both averages."""
    if conduct is None:
        return 0
    above = max(conduct.duty, conduct.starts) - allowance
    return min(MILLION, above * MILLION // allowance) if above > 0 else 0
