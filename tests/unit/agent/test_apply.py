"""Carrying out a plan: what a taken port means before and after the chain has it on record."""

from structlog.testing import capture_logs

from flux.agent.actions import CreateContainer, StartContainer
from flux.agent.apply import PORT_PATIENCE, Applier, Outcome
from flux.agent.ports import PortPool
from flux.contracts.market.types import FailReason, LeaseId, PortBinding
from flux.primitives.types import U64
from flux.runtime.errors import PortTaken
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.runtime.types import ContainerId, ContainerSpec, ImageReference

LEASE = LeaseId(U64(7))
START = (StartContainer("web", ContainerId("web")),)


class TakenPort(MemoryRuntime):
    """An engine on which somebody else has the port, for a number of starts."""

    def __init__(self, conflicts: int) -> None:
        super().__init__(MemoryEngine())
        self.conflicts = conflicts

    async def start(self, container: ContainerId) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise PortTaken("port 31234 is taken", port=31_234)

    async def remove(self, container: ContainerId, *, force: bool = False) -> None:
        assert force


class Quick(MemoryRuntime):
    """An engine that creates whatever it is told."""

    def __init__(self) -> None:
        super().__init__(MemoryEngine())
        self.started: list[ContainerId] = []

    async def create(self, spec: ContainerSpec) -> ContainerId:
        return ContainerId(f"id-of-{spec.name}")

    async def start(self, container: ContainerId) -> None:
        self.started.append(container)


class Silent:
    """A reporter that nothing is reported to."""

    async def confirm(self, lease: LeaseId, bindings: tuple[PortBinding, ...]) -> bool:
        raise AssertionError("nothing runs")

    async def fail(self, lease: LeaseId, reason: FailReason, detail: str) -> bool:
        raise AssertionError("the loop reports failures")


async def test_a_taken_port_is_waited_for_and_then_the_lease_is_given_back() -> None:
    applier = Applier(TakenPort(PORT_PATIENCE), Silent(), PortPool(31_000, 31_999))
    outcomes = [await applier.apply(LEASE, START) for _ in range(PORT_PATIENCE)]
    assert all(outcome.failure is None and outcome.retry_after > 0 for outcome in outcomes[:-1])
    assert outcomes[-1].failure == (FailReason.START, "port 31234 is taken")


async def test_conflicts_are_counted_anew_after_a_start() -> None:
    runtime = TakenPort(PORT_PATIENCE - 1)
    applier = Applier(runtime, Silent(), PortPool(31_000, 31_999))
    for _ in range(PORT_PATIENCE - 1):
        await applier.apply(LEASE, START)
    assert await applier.apply(LEASE, START) == Outcome()
    runtime.conflicts = PORT_PATIENCE - 1
    assert (await applier.apply(LEASE, START)).failure is None


async def test_what_a_plan_creates_is_started_and_logged_by_its_id() -> None:
    runtime = Quick()
    spec = ContainerSpec(
        name="web", image=ImageReference("web:1"), cpu_milli=500, memory_mib=64, network="net", alias="web", labels={}
    )
    with capture_logs() as logs:
        outcome = await Applier(runtime, Silent(), PortPool(31_000, 31_999)).apply(
            LEASE, (CreateContainer("web", spec), *START)
        )
    assert outcome == Outcome()
    assert runtime.started == ["id-of-web"]
    assert [line["container"] for line in logs if line["action"] == "StartContainer"] == ["id-of-web"]
