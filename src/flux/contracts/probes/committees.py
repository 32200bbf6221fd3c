"""Who watches whom: committees are drawn from a seed among the nodes; nothing of them is kept."""

from collections.abc import Iterator, Sequence

from flux.contracts.nodes.types import Node, NodeId, NodeStatus, UnknownNode
from flux.contracts.probes import rules
from flux.contracts.probes.ports import NodesPort
from flux.contracts.probes.state import ProbesState
from flux.contracts.probes.types import ProbesParams
from flux.kernel.context import Context
from flux.primitives.types import U16, U32, Hash


class Committees:
    """Draws under the seed of the current epoch unless another one is given."""

    def __init__(self, state: ProbesState, params: ProbesParams, nodes: NodesPort) -> None:
        self._state = state
        self._params = params
        self._nodes = nodes

    def record(self, node: NodeId) -> Node:
        """A node that was registered once. Raises UnknownNode."""
        record = self._nodes.find(node)
        if record is None:
            raise UnknownNode(node)
        return record

    def first(self, ctx: Context, target: Node) -> list[NodeId]:
        """Who watches the node now. Suspect nodes do not: a committee that is lost with its node would never say so."""
        return self._draw(ctx, target, rules.FIRST, self._params.committee, sees=True)

    def first_under(self, ctx: Context, target: Node, seed: Hash) -> list[NodeId]:
        """Who watches the node under a seed, suspect or not."""
        return self._draw(ctx, target, rules.FIRST, self._params.committee, seed)

    def second(self, ctx: Context, target: Node) -> list[NodeId]:
        """Who confirms that a suspect node is alive after all."""
        return self._draw(ctx, target, rules.SECOND, self._params.second_committee, sees=True)

    def other(self, ctx: Context, target: Node, purpose: bytes, seats: U16) -> list[NodeId]:
        """Who does something else than probing to the node."""
        return self._draw(ctx, target, purpose, seats)

    def watched(self, ctx: Context, but: NodeId) -> Iterator[Node]:
        """All nodes that must answer, but one. Walks all nodes."""
        for number in range(1, self._nodes.count(ctx) + 1):
            target = self._nodes.find(NodeId(U32(number)))
            if target is not None and must_answer(target) and target.id != but:
                yield target

    def is_own(self, target: Node, committee: Sequence[NodeId]) -> bool:
        """Whether the committee is of the node's own operator, for want of others."""
        return any(self.record(member).operator == target.operator for member in committee)

    def _draw(
        self, ctx: Context, target: Node, purpose: bytes, seats: U16, seed: Hash | None = None, *, sees: bool = False
    ) -> list[NodeId]:
        """Active nodes of distinct operators other than the target's; of its own only where there is no other.

        Those that must see it now are not suspect themselves.
        """
        seed = seed or self._state.epoch.get().seed
        members: list[NodeId] = []
        operators = {target.operator}
        own: list[NodeId] = []
        seen = {target.id}
        for drawn in rules.candidates(seed, purpose, target.id, self._nodes.count(ctx), seats):
            if drawn in seen:
                continue
            seen.add(drawn)
            candidate = self._nodes.find(drawn)
            if (
                candidate is None
                or candidate.status is not NodeStatus.ACTIVE
                or (sees and drawn in self._state.suspects)
            ):
                continue
            if candidate.operator == target.operator:
                own.append(drawn)
            elif candidate.operator not in operators:
                operators.add(candidate.operator)
                members.append(drawn)
                if len(members) == seats:
                    break
        return members or own[:seats]


def must_answer(node: Node) -> bool:
    """Whether others may hold against the node that they cannot reach it."""
    return node.status in (NodeStatus.ACTIVE, NodeStatus.LEAVING)
