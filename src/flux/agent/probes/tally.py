"""What this node saw of its targets in each epoch: counts, and a digest over the signed answers. Pure.

An answer that came while none at all came is not counted against a target: the fault may be ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import TargetCount
from flux.primitives import merkle
from flux.primitives.types import U32, Hash

NO_ANSWERS = Hash(bytes(32))


@dataclass(slots=True)
class EpochTally:
    """Counts of one epoch."""

    asked: dict[NodeId, int] = field(default_factory=dict)
    answered: dict[NodeId, int] = field(default_factory=dict)
    leaves: list[bytes] = field(default_factory=list)

    def count(self, answers: Mapping[NodeId, bytes | None]) -> None:
        """One round: each target's signed answer, or None."""
        for node, answer in answers.items():
            self.asked[node] = self.asked.get(node, 0) + 1
            if answer is not None:
                self.answered[node] = self.answered.get(node, 0) + 1
                self.leaves.append(merkle.leaf(node.to_bytes(4, "big") + answer))

    def counts(self, targets: list[NodeId], limit: int) -> list[TargetCount]:
        """What can be reported of these targets, by number, at most `limit` of them."""
        known = [node for node in sorted(targets) if self.asked.get(node)][:limit]
        return [TargetCount(node, U32(self.asked[node]), U32(self.answered.get(node, 0))) for node in known]

    def digest(self) -> Hash:
        """Merkle root over all signed answers, in the order in which they came."""
        return Hash(merkle.root(self.leaves)) if self.leaves else NO_ANSWERS
