"""What instances use, read from the nodes that run them. Who does not answer is said, and keeps nobody waiting long."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flux.contracts.market.types import Lease, LeaseId
from flux.contracts.nodes.types import Node, NodeId
from flux.sdk.agent_api import AgentClient
from flux.sdk.errors import ClientError
from flux.sdk.signer import Signer

PATIENCE = 4.0
"""Seconds that a node may take to answer."""
_PARALLEL = 32
_TOO_LARGE = 2**63
"""No counter gets there."""


@dataclass(frozen=True, slots=True)
class Component:
    """One container: how it is, and what it used since the reading before."""

    name: str
    state: str
    health: str
    counters: Mapping[str, Any] = field(default_factory=dict)
    """As the node gave them; empty while it does not run."""
    cores: float | None = None
    """Cores used between two readings; None with only one."""

    @property
    def memory(self) -> int:
        """Bytes in use."""
        return int(self.counters.get("memory_bytes", 0))


@dataclass(frozen=True, slots=True)
class Instance:
    """One lease: its components, or why they are not known."""

    lease: Lease
    components: tuple[Component, ...] = ()
    error: str = ""
    waiting_for: str = ""

    @property
    def cores(self) -> float | None:
        """Of all components that are known."""
        known = [item.cores for item in self.components if item.cores is not None]
        return sum(known) if known else None

    @property
    def memory(self) -> int:
        """Bytes in use, all components together."""
        return sum(item.memory for item in self.components)

    @property
    def health(self) -> str:
        """The worst of its components, in one word."""
        if self.error:
            return "unknown"
        if not self.components:
            return "starting"
        stopped = [item.state for item in self.components if item.state != "running" and item.health == "none"]
        healths = {item.health for item in self.components}
        worst = next((word for word in ("unhealthy", "starting") if word in healths), "")
        return worst or (stopped[0] if stopped else "healthy" if "healthy" in healths else "running")


@dataclass(slots=True)
class UsageReader:
    """Reads again and again; rates are between one reading and the next."""

    agents: AgentClient
    signer: Signer
    _before: dict[tuple[LeaseId, str], Mapping[str, Any]] = field(default_factory=dict)

    async def read(self, leases: Sequence[Lease], nodes: Mapping[NodeId, Node]) -> list[Instance]:
        """All of them at once, in the order given."""
        gate = asyncio.Semaphore(_PARALLEL)
        found = await asyncio.gather(*(self._instance(gate, lease, nodes[lease.node]) for lease in leases))
        self._before = {
            (instance.lease.id, item.name): item.counters
            for instance in found
            for item in instance.components
            if item.counters
        }
        return list(found)

    async def _instance(self, gate: asyncio.Semaphore, lease: Lease, node: Node) -> Instance:
        async with gate:
            try:
                async with asyncio.timeout(PATIENCE):
                    status = await self.agents.status(node, self.signer, lease.id)
                    stats = await self.agents.stats(node, self.signer, lease.id)
            except TimeoutError:
                return Instance(lease, error=f"no answer in {PATIENCE:g} s")
            except ClientError as error:
                return Instance(lease, error=str(error))
        try:
            components = self._components(lease.id, status["components"], stats["components"])
        except (LookupError, TypeError, AttributeError):
            return Instance(lease, error="the node's answer makes no sense")
        return Instance(lease, components, waiting_for=str(status.get("waiting_for", "")))

    def _components(self, lease: LeaseId, states: Any, stats: Any) -> tuple[Component, ...]:
        """Out of what a node says, which may be anything."""
        known = {item["component"]: _counters(stats.get(item["component"], {})) for item in states}
        return tuple(
            Component(
                str(item["component"]),
                str(item["state"]),
                str(item["health"]),
                known[item["component"]],
                self._cores(lease, str(item["component"]), known[item["component"]]),
            )
            for item in states
        )

    def _cores(self, lease: LeaseId, component: str, now: Mapping[str, Any]) -> float | None:
        before = self._before.get((lease, component))
        if before is None or not {"read_at", "cpu_ns"} <= before.keys() & now.keys():
            return None
        seconds = now["read_at"] - before["read_at"]
        used = now["cpu_ns"] - before["cpu_ns"]
        return used / 1e9 / seconds if seconds > 0 and used >= 0 else None


def _counters(told: Any) -> dict[str, Any]:
    """Those that can be shown and reckoned with."""
    return {
        str(name): value for name, value in told.items() if isinstance(value, int | float) and 0 <= value < _TOO_LARGE
    }


def document(instance: Instance) -> dict[str, Any]:
    """An instance for scripts."""
    return {
        "instance": instance.lease.ordinal,
        "lease": instance.lease.id,
        "node": instance.lease.node,
        "health": instance.health,
        "error": instance.error or None,
        "waiting_for": instance.waiting_for or None,
        "components": [
            {
                "component": item.name,
                "state": item.state,
                "health": item.health,
                "cores": item.cores,
                **{name: value for name, value in item.counters.items() if name != "read_at"},
            }
            for item in instance.components
        ],
    }
