"""What the probes contract needs of others."""

from typing import Protocol

from flux.contracts.market.types import Usage
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.probes.types import Epoch
from flux.kernel.context import Context
from flux.primitives.types import U32, Address, ChainTime, Hash


class NodesPort(Protocol):
    """The nodes, who watch each other."""

    def find(self, node: NodeId) -> Node | None:
        """The record, or None."""
        ...

    def node_of_agent(self, ctx: Context, agent: Address) -> NodeId:
        """The node of an agent key; 0 when there is none."""
        ...

    def count(self, ctx: Context) -> U32:
        """Nodes ever registered; the highest id."""
        ...

    def active_count(self, ctx: Context) -> U32:
        """How many nodes are active."""
        ...

    def suspend(self, ctx: Context, node: NodeId, reason: str) -> None:
        """Suspend a node that is active or leaving."""
        ...


class SeedPort(Protocol):
    """Where the randomness of epochs comes from."""

    def next_seed(self, ctx: Context, previous: Hash, epoch: Epoch) -> Hash:
        """The seed of the epoch that begins."""
        ...


class EpochPort(Protocol):
    """Whoever does something at the end of each epoch."""

    def epoch_ended(self, ctx: Context, epoch: Epoch) -> None:
        """Told once for each epoch, after the next one has begun. Heavy work belongs into the schedule."""
        ...


class MarketPort(Protocol):
    """The market, whose leases depend on it."""

    def suspect_node(self, ctx: Context, node: NodeId, until: ChainTime) -> None:
        """The node's leases become suspect and accrue only up to `until`; those that never ran are placed elsewhere."""
        ...

    def replace_suspect(self, ctx: Context, node: NodeId) -> None:
        """Replacements are placed for the suspect node's leases."""
        ...

    def restore_node(self, ctx: Context, node: NodeId) -> None:
        """The node's suspect leases run again; replacements that do not run yet are cancelled."""
        ...

    def usage(self, ctx: Context, node: NodeId) -> Usage:
        """What open leases take of the node."""
        ...

    def node_unreachable(self, ctx: Context, node: NodeId) -> None:
        """The node's leases close as unreachable."""
        ...


class AvailabilityPort(Protocol):
    """Whoever pays for availability."""

    def availability_known(self, ctx: Context, epoch: Epoch, node: NodeId, availability: U32) -> None:
        """Told after every report what the committee says so far: parts per million, 0 before it agrees."""
        ...


class FaultsPort(Protocol):
    """Whoever counts what nodes do wrong."""

    def suspicion_refuted(self, ctx: Context, reporter: NodeId) -> None:
        """Told for each member whose vote a second committee contradicted."""
        ...

    def leases_abandoned(self, ctx: Context, node: NodeId) -> None:
        """Told when a node that held leases is given up as unreachable."""
        ...
