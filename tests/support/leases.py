"""Leases and specs for tests of the agent."""

import msgspec

from flux.agent.desired import DesiredInstance, Lock, NodeFacts
from flux.contracts.apps.types import AppSpec, Component, Dependency, Mount, Port, PrivateComponent, PrivateSpec, Volume
from flux.contracts.market.types import Lease, LeaseState
from flux.runtime.types import ImageReference

WEB = "127.0.0.1:5000/web@sha256:" + "a" * 64
DATABASE = "127.0.0.1:5000/database@sha256:" + "b" * 64
IMAGES = frozenset((ImageReference(WEB), ImageReference(DATABASE)))
NODE = msgspec.convert(
    {"chain": "19169-12345678", "node": 3, "country": "FR", "region": "IDF", "bind_ip": "127.0.0.1"}, NodeFacts
)
SPEC = AppSpec(
    components=(
        Component("web", WEB, 500, 64, ports=(Port(80),), depends_on=(Dependency("database", "healthy"),)),
        Component("database", DATABASE, 500, 64, mounts=(Mount("data", "/data"),)),
    ),
    volumes=(Volume("data", 100),),
)


def make_lease(number: int = 7, state: LeaseState = LeaseState.ASSIGNED) -> Lease:
    """A lease of app 2 on node 3."""
    numbers = {"id": number, "app": 2, "revision": 1, "ordinal": 0, "node": 3, "rate": 5, "assigned_at": 1}
    rest = {"running_at": 0, "closed_at": 0, "replaces": 0, "reason": 0, "detail": "", "bindings": ()}
    return msgspec.convert({**numbers, **rest, "state": state}, Lease)


def make_desired(
    spec: AppSpec = SPEC, state: LeaseState = LeaseState.ASSIGNED, lock: Lock = Lock.OPEN
) -> DesiredInstance:
    """A wish of the chain, with a password in its private half."""
    private = PrivateSpec((PrivateComponent("web", (("PASSWORD", "hunter2"),)),))
    return DesiredInstance(make_lease(state=state), "shop", spec, lock, private)
