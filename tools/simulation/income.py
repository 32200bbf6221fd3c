"""Who earned what: from emission, from tenants, less what was slashed, read from the chain's own events."""

from collections import defaultdict
from dataclasses import dataclass

from flux.contracts.escrow.types import HostPaid
from flux.contracts.nodes.types import NodeId
from flux.contracts.rewards.types import PPM, EpochSettled, NodeRewarded
from flux.contracts.staking.types import Slashed
from tools.simulation.economy import Economy


@dataclass(slots=True)
class Income:
    """Of one node, wei."""

    emission: int = 0
    tenants: int = 0
    slashed: int = 0

    @property
    def net(self) -> int:
        """What is left of it."""
        return self.emission + self.tenants - self.slashed


class Ledger:
    """Listens to the chain and keeps the income of every node."""

    def __init__(self, economy: Economy) -> None:
        self.nodes: defaultdict[NodeId, Income] = defaultdict(Income)
        self.full = [0, 0, 0]
        """By tier: what a node with full availability has earned from emission, wei."""
        economy.watch(NodeRewarded, self._rewarded)
        economy.watch(EpochSettled, self._settled)
        economy.watch(HostPaid, self._paid)
        economy.watch(Slashed, self._slashed)

    def _rewarded(self, event: NodeRewarded) -> None:
        self.nodes[event.node].emission += event.amount

    def _settled(self, event: EpochSettled) -> None:
        for tier, rate in enumerate(event.rates):
            self.full[tier] += rate * PPM

    def _paid(self, event: HostPaid) -> None:
        self.nodes[event.node].tenants += event.amount

    def _slashed(self, event: Slashed) -> None:
        self.nodes[event.node].slashed += event.bonded + event.unbonding
