"""The whole protocol over an in-memory world: the real contracts, wired as on the chain, block by block."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from flux.chain.consensus_info import NO_INFO, ConsensusInfo, ValidatorUpdate
from flux.contracts.accounts.contract import Accounts
from flux.contracts.accounts.invariants import check_total
from flux.contracts.apps.contract import Apps
from flux.contracts.apps.types import AppId, AppSpec, Constraints, encode_spec
from flux.contracts.benchmarks.contract import Benchmarks
from flux.contracts.escrow.contract import Escrow
from flux.contracts.governor.contract import Governor
from flux.contracts.market.contract import Market
from flux.contracts.market.types import Lease, LeaseId, LeaseState, PortBinding
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import Ask, Endpoint, Hardware, Location, NodeId
from flux.contracts.oracle.contract import Oracle
from flux.contracts.parameters.contract import Parameters
from flux.contracts.policy.contract import Policy
from flux.contracts.probes.contract import Probes
from flux.contracts.rewards.contract import Rewards
from flux.contracts.secrets.contract import Secrets
from flux.contracts.slashing.contract import Slashing
from flux.contracts.staking.contract import Staking
from flux.contracts.validators.contract import Validators
from flux.contracts.validators.types import FirstValidator
from flux.contracts.votes.contract import Votes
from flux.kernel.contract import Contract
from flux.kernel.events import Event, event_codec
from flux.primitives.types import NO_WEI, U16, U64, Address, Hash
from flux.protocol import invariants
from flux.protocol.chain_ids import LOCAL
from flux.protocol.machine import ScheduledWorkFailed
from flux.protocol.params import Params, minimal
from flux.protocol.registry import ProtocolFactory
from flux.testing.world import MemoryWorld
from support.contract_lab import FLUX, account, component, hardware

C = TypeVar("C", bound=Contract)
PLACES = [Location("EU", "FR", ""), Location("EU", "DE", ""), Location("NA", "US", ""), Location("AS", "JP", "")]
WORK_FAILED = event_codec(ScheduledWorkFailed).topic0


class ProtocolWorld:
    """Contracts by name, and what people do with them."""

    def __init__(self, params: Params | None = None, validators: Sequence[FirstValidator] = ()) -> None:
        self.world = MemoryWorld()
        self.machine = ProtocolFactory(params or minimal())(self.world)
        self._take_contracts()
        self.validators.begin(self.world.context(account("genesis")), U64(LOCAL), validators)
        self.rewards.begin(self.world.context(account("genesis")), NO_WEI)
        self.probes.begin(self.world.context(account("genesis")))
        self.agents: dict[NodeId, Address] = {}
        self._read = 0
        self.updates: tuple[ValidatorUpdate, ...] = ()
        """What the last block told the engine."""

    def _take_contracts(self) -> None:
        """Name the contracts; they are others after governance changed a parameter."""
        self.params = self.machine.all_params()
        self.accounts, self.nodes = self._contract(Accounts), self._contract(Nodes)
        self.apps, self.market = self._contract(Apps), self._contract(Market)
        self.escrow, self.secrets = self._contract(Escrow), self._contract(Secrets)
        self.probes, self.parameters = self._contract(Probes), self._contract(Parameters)
        self.staking, self.rewards = self._contract(Staking), self._contract(Rewards)
        self.validators = self._contract(Validators)
        self.votes, self.governor = self._contract(Votes), self._contract(Governor)
        self.policy, self.oracle = self._contract(Policy), self._contract(Oracle)
        self.benchmarks, self.slashing = self._contract(Benchmarks), self._contract(Slashing)

    def _contract(self, kind: type[C]) -> C:
        return cast(C, next(contract for contract in self.machine.contracts if type(contract) is kind))

    def fund(self, name: str, amount: int = 1_000_000) -> Address:
        """An account with FLUX, minted as genesis does."""
        holder = account(name)
        self.accounts.mint(self.world.context(holder), holder, amount * FLUX)  # type: ignore[arg-type]
        return holder

    def send(self, sender: Address, method: Callable[..., Any], *arguments: Any, value: int = 0) -> Any:
        """One transaction; a Revert leaves nothing behind and is raised."""
        return self.world.send(sender, value, method, *arguments)

    def node(
        self,
        number: int,
        operator: str | None = None,
        price: int = 100,
        active: bool = True,
        agent: Address | None = None,
    ) -> NodeId:
        """Register a machine, and activate it."""
        owner = self.fund(operator or f"operator {number}", 50_000)
        agent = agent or account(f"agent {number}")
        endpoint = Endpoint(f"10.{number}.0.1", U16(16127), Hash(b"c" * 32), Hash(b"s" * 32), False, True)
        ask = Ask(U64(price * 200_000), U64(price * 100_000), U64(price * 2_000), U64(0))
        made: NodeId = self.send(
            owner, self.nodes.register, agent, endpoint, PLACES[number % len(PLACES)], self.hardware(), ask,
            value=1_000 * FLUX,
        )  # fmt: skip
        self.agents[made] = agent
        if active:
            self.send(agent, self.nodes.activate)
        return made

    def hardware(self) -> Hardware:
        return hardware(4_000, 8_192, 300_000)

    def fleet(self, size: int) -> list[NodeId]:
        """Active nodes of distinct operators in distinct networks; the first is the cheapest."""
        return [self.node(number + 1, price=100 + number) for number in range(size)]

    def deploy(self, name: str = "shop", instances: int = 1, spec: AppSpec | None = None, deposit: int = 100) -> AppId:
        """Deploy as the tenant of that name."""
        owner = self.fund(f"tenant {name}", 10_000)
        data = encode_spec(spec or AppSpec(components=(component(),), constraints=Constraints()))
        made: AppId = self.send(owner, self.apps.deploy, name, U16(instances), data, b"", value=deposit * FLUX)
        return made

    def block(self, seconds: int = 1, info: ConsensusInfo = NO_INFO) -> list[str]:
        """End the block and begin the next one; invariants are checked and violations fail the test."""
        self.updates = self.machine.end_block(NO_WEI, info)
        problems = invariants.check(self.machine.contracts)
        problems += check_total(self.accounts, self.world.total_held())
        problems += [f"work failed: {log}" for log in self.world.logs[self._read :] if log.topics[0] == WORK_FAILED]
        self._read = len(self.world.logs)
        assert problems == []
        last = self.world.block
        entered = self.world.advance(seconds)
        self.machine.begin_block(last.timestamp, entered.height, entered.timestamp, entered.seed, entered.producer)
        self._take_contracts()
        return problems

    def halt(self, seconds: int) -> None:
        """End the block; the next one comes so much later that protocol time stands still meanwhile."""
        self.block(seconds=1)
        last = self.world.block
        entered = self.world.advance(seconds)
        block = self.machine.begin_block(
            last.timestamp, entered.height, entered.timestamp, entered.seed, entered.producer
        )
        assert block.now == last.now, "a halt is longer than the limit of gaps"
        self.world.block = block

    def open(self, app: AppId) -> list[Lease]:
        """Open leases of an app."""
        return [item for item in self.leases(app) if item.state is not LeaseState.CLOSED]

    def leases(self, app: AppId) -> list[Lease]:
        """Open and kept closed leases."""
        return self.market.leases_of_app(self.world.context(account("anybody")), app)

    def lease(self, number: LeaseId) -> Lease:
        """One lease."""
        return self.market.lease(self.world.context(account("anybody")), number)

    def confirm(self, lease: Lease) -> None:
        """The lease's node reports that it runs."""
        spec = self.market.spec_of(lease)
        bindings = [
            PortBinding(part.name, U16(port.container), U16(20_000 + index), 6 if port.protocol == "tcp" else 17)  # type: ignore[arg-type]
            for part in spec.components
            for index, port in enumerate(part.ports)
        ]
        self.send(self.agents[lease.node], self.market.confirm, lease.id, bindings)

    def run_all(self, app: AppId) -> list[Lease]:
        """End the block, confirm what was assigned, until nothing is assigned; the open leases."""
        for _ in range(20):
            self.block()
            waiting = [item for item in self.open(app) if item.state is LeaseState.ASSIGNED]
            if not waiting:
                break
            for item in waiting:
                self.confirm(item)
        return self.open(app)

    def emitted(self, event: Event) -> bool:
        """Whether the market emitted the event."""
        return self.world.emitted(self.market, event)
