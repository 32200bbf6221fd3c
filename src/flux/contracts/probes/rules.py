"""Committees and quorums: pure draws from a seed. Nobody chooses who watches whom."""

from collections.abc import Iterator, Sequence

from flux.contracts.nodes.types import NodeId
from flux.primitives.keccak import keccak256
from flux.primitives.types import U32, U64, ChainTime, Hash, Seconds

FIRST = b"first"
SECOND = b"second"
UNSEEN = 2
"""Seconds between a member's last good probe and its vote: two failed probes, one a second (agent/probes)."""
_DRAWS_PER_SEAT = 24
_DRAWS_AT_LEAST = 96


def candidates(seed: Hash, purpose: bytes, node: NodeId, highest: U32, seats: int) -> Iterator[NodeId]:
    """Node ids in drawn order, repeated and absent ones included; a bounded number.

    Drawn modulo the next power of two, so that a node that joins changes a committee only where it is drawn itself.
    """
    span = 1 << max(0, highest - 1).bit_length()
    base = seed + purpose + node.to_bytes(4, "big")
    for draw in range(_DRAWS_AT_LEAST + _DRAWS_PER_SEAT * seats):
        digest = keccak256(base + draw.to_bytes(4, "big"))
        drawn = int.from_bytes(digest[:8], "big") % span + 1
        if drawn <= highest:
            yield NodeId(U32(drawn))


def is_quorum(votes: int, members: int) -> bool:
    """More than half. A committee of one decides alone, of two only together."""
    return members > 0 and 2 * votes > members


def present(reporters: Sequence[NodeId], committee: Sequence[NodeId]) -> int:
    """How many of the reporters sit in the committee now: a new epoch draws another one."""
    return sum(reporter in committee for reporter in reporters)


def is_open(first_vote_at: ChainTime, now: ChainTime, window: Seconds) -> bool:
    """Whether votes since `first_vote_at` still count together."""
    return now - first_vote_at <= window


def last_seen(first_vote_at: ChainTime) -> ChainTime:
    """When the committee last saw the node serve."""
    return ChainTime(U64(max(0, first_vote_at - UNSEEN)))
