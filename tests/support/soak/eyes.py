"""What an onlooker sees of a lab: the chain's word over the network, and the machines' processes by looking at them.

The processes are found in /proc, not by asking an Engine, which may be the one that is broken.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil
from tools.hosts.lab import Lab

from flux.contracts.apps.types import AppId
from flux.contracts.market.types import Lease, LeaseState
from flux.sdk.bindings.escrow import Escrow
from flux.sdk.bindings.market import Market
from flux.sdk.errors import ClientError
from support.soak.processes import Spot, caddy_pids, spot_of

PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Sight:
    """One moment."""

    at: float
    """Monotonic seconds."""
    leases: Mapping[str, Sequence[Lease]] | None
    """None while the chain could not be read."""
    alive: frozenset[Spot]
    """Instances with a living process."""
    doubled: frozenset[Spot]
    """Instances with the processes of more than one container."""
    charged: Mapping[str, int] | None
    """Wei that each app has paid or owes."""

    def spots(self, *states: LeaseState) -> frozenset[Spot]:
        """Where the chain has leases in one of these states."""
        return frozenset(
            (name, int(lease.node), int(lease.ordinal))
            for name, leases in (self.leases or {}).items()
            for lease in leases
            if lease.state in states
        )


@dataclass(frozen=True, slots=True)
class Weight:
    """What a process holds."""

    at: float
    private: int
    """Bytes of memory that are its own and not files'."""
    descriptors: int


async def look(lab: Lab, apps: Mapping[str, AppId]) -> Sight:
    """Now."""
    containers = await asyncio.to_thread(_containers, lab)
    leases: dict[str, Sequence[Lease]] | None = None
    charged: dict[str, int] | None = None
    with suppress(ClientError, TimeoutError):
        async with asyncio.timeout(PATIENCE):
            leases = {name: await Market(lab.client).leases_of_app(app) for name, app in apps.items()}
            accounts = {name: await Escrow(lab.client).account(app) for name, app in apps.items()}
            charged = {name: account.spent + account.owed for name, account in accounts.items()}
    counts = Counter(spot for spot, _ in containers)
    doubled = frozenset(spot for spot, count in counts.items() if count > 1)
    return Sight(time.monotonic(), leases, frozenset(counts), doubled, charged)


def weigh(lab: Lab) -> dict[tuple[str, int], Weight]:
    """Every process of ours and of the Engines, by name and id."""
    pids = {"caddy": caddy_pids(lab)}
    for name, child in (("chain", lab.chain), ("ingress", lab.ingress)):
        pids[name] = [child.pid] if child is not None else []
    for host in lab.hosts:
        pids[f"agent {host.name}"] = [host.agent.pid] if host.agent is not None else []
        for program in ("dockerd", "containerd"):
            pids[f"{program} {host.name}"] = host.daemon.pids(program)
    found = {}
    for name, ids in pids.items():
        for pid in ids:
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                memory = process.memory_info()
                found[name, pid] = Weight(time.monotonic(), memory.rss - memory.shared, process.num_fds())
    return found


def _containers(lab: Lab) -> set[tuple[Spot, int]]:
    """The containers that live: whose, and which (the inode of its namespace of process ids)."""
    found = set()
    for host in lab.hosts:
        for pid in host.daemon.container_pids():
            spot = spot_of(pid)
            with suppress(OSError):
                if spot is not None:
                    found.add((spot, os.stat(f"/proc/{pid}/ns/pid").st_ino))
    return found
