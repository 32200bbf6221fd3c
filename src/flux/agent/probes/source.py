"""Targets and suspicions as the chain says."""

from collections.abc import Sequence

from flux.agent.probes.prober import is_probed
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.probes.types import Epoch
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.probes import Probes
from flux.sdk.client import FluxClient


class ChainProbeSource:
    """Reads the probes and nodes contracts. Every method may raise sdk.errors.Unreachable."""

    def __init__(self, client: FluxClient, node: NodeId) -> None:
        self._probes = Probes(client)
        self._nodes = Nodes(client)
        self._node = node

    async def targets(self) -> Sequence[Node]:
        """Records of the nodes whose committee this node is on."""
        nodes = [await self._nodes.node(target) for target in await self._probes.targets(self._node)]
        return [node for node in nodes if is_probed(node)]

    async def epoch(self) -> Epoch:
        """The current epoch."""
        return (await self._probes.epoch()).epoch

    async def past_targets(self) -> Sequence[NodeId]:
        """Whom this node may report on for the epoch before the current one."""
        return await self._probes.past_targets(self._node)

    async def suspects(self) -> Sequence[Node]:
        """Records of the nodes under suspicion."""
        return [await self._nodes.node(node) for node in await self._probes.suspicions()]

    async def confirms(self, node: NodeId) -> bool:
        """Whether this node is on the second committee of a suspect."""
        return self._node in await self._probes.second_committee(node)
