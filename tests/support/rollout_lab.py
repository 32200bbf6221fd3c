"""An app whose instances run, its owner and its nodes, for tests of how another revision comes in."""

from collections.abc import Sequence
from typing import Any

from flux.contracts.apps.types import AppId, AppSpec, Revision, Update, Volume, encode_spec
from flux.contracts.market.rollout_types import Rollout, RolloutState
from flux.contracts.market.types import FailReason, Lease, LeaseState
from flux.primitives.types import U16, U32
from support.contract_lab import account, component, spec
from support.protocol_world import ProtocolWorld

OWNER = account("tenant shop")
DATA = (Volume("data", 100),)
DONE, FAILED, PAUSED = RolloutState.DONE, RolloutState.FAILED, RolloutState.PAUSED
ROLLING, ROLLING_BACK = RolloutState.ROLLING, RolloutState.ROLLING_BACK


class Shop:
    """An app whose instances run, and what its owner and its nodes do."""

    def __init__(
        self, nodes: int = 4, instances: int = 3, of: AppSpec | None = None, operators: Sequence[str] = ()
    ) -> None:
        self.world = ProtocolWorld()
        for number in range(nodes):
            self.world.node(number + 1, operators[number] if operators else None, price=100 + number)
        self.instances = instances
        self.app: AppId = self.world.deploy(instances=instances, spec=of)
        self.world.run_all(self.app)
        self.cpu = 400

    def update(self, how: Update | None = None, volumes: Any = (), **changes: Any) -> None:
        self.cpu += 10
        newer = spec(component(**{"cpu_milli": self.cpu, **changes}), volumes=volumes, update=how)
        self.send(self.world.apps.update, U16(self.instances), encode_spec(newer), b"")

    def rollback(self, revision: int) -> None:
        self.send(self.world.apps.rollback, Revision(U32(revision)))

    def send(self, method: Any, *arguments: Any) -> None:
        self.world.send(OWNER, method, self.app, *arguments)

    def starting(self) -> list[Lease]:
        return [lease for lease in self.world.open(self.app) if lease.state is LeaseState.ASSIGNED]

    def confirm(self) -> None:
        """Everything that starts comes to run."""
        for lease in self.starting():
            self.world.confirm(lease)

    def fail_again(self) -> None:
        """Nodes of other operators than the first fail too, so that it counts."""
        for _ in range(5):
            if self.state not in (ROLLING, ROLLING_BACK) or not self.rollout.failed_on:
                return
            self.world.block()
            for lease in self.starting()[:1]:
                self.fail(lease)

    def fail(self, lease: Lease, reason: FailReason = FailReason.START) -> None:
        self.world.send(self.world.agents[lease.node], self.world.market.fail, lease.id, reason, "exit 1")

    def pass_time(self, seconds: int) -> None:
        """Blocks a second apart."""
        for _ in range(seconds):
            self.world.block()

    def finish(self, seconds: int = 200) -> RolloutState:
        """Whatever starts comes to run, until the rollout is over."""
        for _ in range(seconds):
            if self.state not in (ROLLING, ROLLING_BACK):
                break
            self.world.block()
            self.confirm()
        return self.state

    @property
    def rollout(self) -> Rollout:
        return self.world.market.rollout(self.world.world.context(OWNER), self.app)

    @property
    def state(self) -> RolloutState:
        return self.rollout.state

    @property
    def revisions(self) -> list[int]:
        """Of instances that run, by ordinal."""
        leases = sorted(self.world.open(self.app), key=lambda lease: (lease.ordinal, lease.id))
        return [lease.revision for lease in leases if lease.state is not LeaseState.ASSIGNED]

    @property
    def current(self) -> int:
        return self.world.apps.app(self.world.world.context(OWNER), self.app).revision
