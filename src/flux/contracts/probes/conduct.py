"""How nodes do what they owe to others: watch their targets, and start what they were given.

Single events prove nothing, so they go into moving averages; only what stays far above an allowance takes availability.
"""

from flux.contracts.nodes.types import NodeId
from flux.contracts.probes import rules
from flux.contracts.probes.state import ProbesState
from flux.contracts.probes.types import Conduct, ProbesParams
from flux.primitives.types import U32

_CLEAN = Conduct(U32(0), U32(0))


class Conducts:
    """Averages by node; nothing is kept of a node that has nothing against it."""

    def __init__(self, state: ProbesState, params: ProbesParams) -> None:
        self._state = state
        self._params = params

    def of(self, node: NodeId) -> Conduct:
        """The averages of a node."""
        return self._state.conducts.find(node) or _CLEAN

    def loss(self, node: NodeId) -> int:
        """What a node loses of its availability, parts per million."""
        return rules.conduct_loss(self._state.conducts.find(node), self._params.conduct_allowance)

    def note_duty(self, member: NodeId, *, failed: bool) -> None:
        """A member said what its committee agreed on, or did not."""
        before = self.of(member)
        self._keep(member, before, before.but(duty=self._averaged(before.duty, failed=failed)))

    def note_start(self, node: NodeId, *, failed: bool) -> None:
        """A node started an instance, or failed to start one that another node then started."""
        before = self.of(node)
        self._keep(node, before, before.but(starts=self._averaged(before.starts, failed=failed)))

    def _averaged(self, average: U32, *, failed: bool) -> U32:
        return rules.averaged(average, self._params.conduct_window, failed=failed)

    def _keep(self, node: NodeId, before: Conduct, after: Conduct) -> None:
        if after == _CLEAN != before:
            self._state.conducts.delete(node)
        elif after != before:
            self._state.conducts.set(node, after)
