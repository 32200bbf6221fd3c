"""A node that answers but does not follow the chain counts as lost: it would never learn that a lease is over."""

from flux.agent.head_clock import HeadClock
from flux.contracts.nodes.types import Node
from flux.sdk.agent_api import AgentClient

STALE = 60.0
"""Seconds for which the prober has known a newer head than the one that the node signs for."""


class FreshPinger:
    """Pings nodes; an answer with an old head is none."""

    def __init__(self, client: AgentClient, heads: HeadClock) -> None:
        self._client = client
        self._heads = heads

    async def ping(self, node: Node, seconds: float) -> bytes | None:
        """The signed answer of a node that follows the chain."""
        pong = await self._client.probe(node, seconds)
        return None if pong is None or self._heads.behind(pong.head) >= STALE else pong.answer
