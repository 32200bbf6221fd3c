"""Random users of the real protocol, as signed transactions: operators, agents honest and lying, tenants, strangers.

What they do follows from the state and a seed alone, so the same seed plays the same chain.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flux.chain import tables
from flux.chain.application import Application
from flux.chain.consensus_info import ConsensusInfo, ValidatorUpdate
from flux.chain.ports import Genesis as ChainGenesis
from flux.chain.world import ChainWorld, decode_account
from flux.contracts.accounts.contract import Accounts
from flux.contracts.accounts.invariants import check_total
from flux.contracts.apps.contract import Apps
from flux.contracts.apps.types import App, AppSpec, Component, Constraints, Port, Volume, encode_spec
from flux.contracts.benchmarks.contract import Benchmarks
from flux.contracts.benchmarks.types import Measurement
from flux.contracts.escrow.contract import Escrow
from flux.contracts.governor.contract import Governor
from flux.contracts.governor.types import ProposalInfo, ProposalState
from flux.contracts.market.contract import Market
from flux.contracts.market.types import FailReason, Lease, LeaseState, PortBinding
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import Ask, Location, Node, NodeId
from flux.contracts.oracle.contract import Oracle
from flux.contracts.oracle.types import UsdAsk
from flux.contracts.parameters.contract import Parameters
from flux.contracts.policy.contract import Policy
from flux.contracts.probes.contract import Probes
from flux.contracts.probes.types import TargetCount
from flux.contracts.rewards.contract import Rewards
from flux.contracts.secrets.contract import Secrets
from flux.contracts.secrets.types import SealedSeed
from flux.contracts.slashing.contract import Slashing
from flux.contracts.slashing.types import Case, CaseId, CaseState, FaultId, commitment
from flux.contracts.staking.contract import Staking
from flux.contracts.staking.types import EVERYTHING
from flux.contracts.validators.contract import Validators
from flux.contracts.votes.contract import Votes
from flux.kernel.context import SYSTEM_ADDRESS, Block, Context, ContractStorage
from flux.kernel.contract import Contract
from flux.kernel.schedule import Clock
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.cpu_work import answer_hash, run_chain
from flux.primitives.types import NO_WEI, U16, U32, U64, U256, WEI_PER_FLUX, Address, ChainTime, Gas, Hash, Nonce, Wei
from flux.protocol import invariants
from flux.protocol.chain_ids import LOCAL
from flux.protocol.genesis import Allocation, Genesis
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.machine import ProtocolMachine
from flux.protocol.params import Params, minimal
from flux.protocol.registry import ProtocolFactory
from flux.sdk.call import Call
from flux.sdk.transaction import Draft, Fees, sign_transaction
from support import validator_users
from support.chain_lab import START, address, signer
from support.contract_lab import IMAGE, endpoint, hardware
from support.transactions import GWEI
from support.validator_users import FOUNDERS, founded_engine, random_info

OPERATORS = range(5)
TENANTS = range(20, 24)
AGENTS = range(100, 112)
PLACES = [Location("EU", "FR", ""), Location("EU", "DE", ""), Location("NA", "US", "TX")]
TIGHT = minimal()
TIGHT = TIGHT.but(
    market=TIGHT.market.but(
        max_placements_per_block=U32(3), closed_leases_kept=U16(4), max_leases_per_node=U16(5), max_exclusions=U16(3)
    ),
    benchmarks=TIGHT.benchmarks.but(kilometres_per_second=U32(200_000), recovery_epochs=U16(1)),
    slashing=TIGHT.slashing.but(strikes=U16(1)),
    escrow=TIGHT.escrow.but(min_deposit=Wei(U256(10**9))),
    governor=TIGHT.governor.but(
        proposal_threshold=Wei(U256(WEI_PER_FLUX)), deposit=Wei(U256(WEI_PER_FLUX)), min_quorum=Wei(U256(WEI_PER_FLUX))
    ),
    validators=TIGHT.validators.but(
        missed_window=U32(30), max_missed=U32(5), max_validators=U16(6), epochs_kept=U16(2)
    ),
)
"""Bounds so low that random users meet them."""
NUMBERS = (
    "market.exclusion", "market.start_deadline", "market.max_leases_per_node", "market.max_placements_per_block",
    "escrow.fee_basis_points", "escrow.min_placement", "nodes.rejoin_delay", "probes.epoch", "probes.suspicion_bound",
    "governor.timelock", "votes.unlock_delay", "chain.gas_stored_byte", "market.nothing",
)  # fmt: skip
"""What random proposals change."""
CALLS: dict[tuple[type[Contract], str], Call] = {
    (contract, item.attribute): Call(
        contract.address, item.name, tuple(item.arguments.values()), item.returns, lane=item.declaration.lane
    )
    for contract in (
        Accounts,
        Apps,
        Benchmarks,
        Escrow,
        Governor,
        Market,
        Nodes,
        Oracle,
        Parameters,
        Policy,
        Probes,
        Rewards,
        Secrets,
        Slashing,
        Staking,
        Validators,
        Votes,
    )
    for item in contract.methods.values()
}


class ProtocolScenario:
    """The protocol with tight bounds and a dozen machines."""

    def __init__(self, params: Params = TIGHT) -> None:
        self.protocol = params
        self.params = params.chain
        self.machine = ProtocolFactory(params)
        """Shared, so that invariants see the fleets that placement keeps in step."""
        self.engine = founded_engine()

    def genesis(self) -> ChainGenesis:
        holders = [address(number) for number in (*OPERATORS, *TENANTS)]
        amount = Wei(U256(20_000 * WEI_PER_FLUX))
        allocations = tuple(Allocation(holder, amount, "user") for holder in holders)
        genesis = Genesis(U64(LOCAL), U64(START), allocations, self.protocol, FOUNDERS)  # type: ignore[arg-type]
        return chain_genesis(genesis, self.machine)

    def transactions(self, application: Application, draw: random.Random) -> list[bytes]:
        with self.head(application) as head:
            users = Users(head, draw)
            return [raw for _ in range(draw.randrange(11)) for raw in users.act()]

    def tell(self, application: Application, draw: random.Random) -> ConsensusInfo:
        """What the engine says of the next block."""
        with self.head(application) as head:
            return random_info(self.engine, head, draw)

    def told(self, updates: tuple[ValidatorUpdate, ...]) -> None:
        """The engine follows; fails where CometBFT would stop."""
        self.engine.take(updates)

    @contextmanager
    def head(self, application: Application) -> Iterator["Head"]:
        """The contracts over the state of the newest block."""
        with application.ledger.snapshot() as snapshot:
            world = ChainWorld(snapshot)
            header = application.ledger.head().header
            now = ChainTime(U64(header.timestamp - Clock(ContractStorage(world, SYSTEM_ADDRESS)).gaps()))
            world.block = Block(header.number, header.timestamp, now, header.seed, header.producer)
            held = sum(decode_account(value)[1] for _, value in snapshot.range(tables.ACCOUNT, b"b"))
            yield Head(world, self.machine(world), held)


class Head:
    """The state at the head, by contract."""

    def __init__(self, world: ChainWorld, machine: ProtocolMachine, held: int) -> None:
        by_type: dict[type[Contract], Any] = {type(contract): contract for contract in machine.contracts}
        self.world = world
        self.machine = machine
        self.held = Wei(U256(held))
        self.ctx = Context(ZERO_ADDRESS, NO_WEI, world.block)
        self.accounts: Accounts = by_type[Accounts]
        self.nodes: Nodes = by_type[Nodes]
        self.apps: Apps = by_type[Apps]
        self.market: Market = by_type[Market]
        self.escrow: Escrow = by_type[Escrow]
        self.probes: Probes = by_type[Probes]
        self.benchmarks: Benchmarks = by_type[Benchmarks]
        self.governor: Governor = by_type[Governor]
        self.votes: Votes = by_type[Votes]
        self.policy: Policy = by_type[Policy]
        self.validators: Validators = by_type[Validators]
        self.slashing: Slashing = by_type[Slashing]

    def problems(self) -> list[str]:
        """Violated invariants, those of single contracts and those that need the whole state."""
        return [*invariants.check(self.machine.contracts), *check_total(self.accounts, self.held)]


class Users:
    """What everybody sends for one block."""

    def __init__(self, head: Head, draw: random.Random) -> None:
        self.head = head
        self.draw = draw
        self.apps: list[App] = head.apps.apps(head.ctx, 1, U16(1000))[-12:]  # type: ignore[arg-type]
        self.nodes: list[Node] = head.nodes.nodes(head.ctx, 1, U16(1000))  # type: ignore[arg-type]
        self.leases: list[Lease] = [
            lease
            for app in self.apps
            for lease in head.market.leases_of_app(head.ctx, app.id)
            if lease.state is not LeaseState.CLOSED
        ]
        self.agents = {address(number): number for number in AGENTS}
        self.owners = {address(number): number for number in TENANTS}
        self.operators = {address(number): number for number in OPERATORS}
        self.nonces: dict[int, int] = {}

    def act(self) -> list[bytes]:
        """One user's deed."""
        deeds: list[Callable[[], list[bytes]]] = [
            self.register, self.register, self.activate, self.activate, self.leave, self.declare,
            *[self.validate] * 4, self.stake, self.stake, self.see, self.see, self.earn,
            self.deploy, self.deploy, self.update, self.scale, self.pause_or_resume, self.top_up, self.remove,
            *[self.confirm] * 12, self.fail, self.move, self.hand_seeds, self.outage, self.outage, self.refute,
            self.refute, self.lie, self.pay, self.measure, self.measure,
            self.lock, self.unlock, self.delegate, *[self.propose] * 4, *[self.vote] * 6, self.hurry, self.police,
            self.prosecute, self.prosecute, self.lie_about_work, self.appeal, *[self.judge] * 6, *[self.feed] * 3,
        ]  # fmt: skip
        return self.draw.choice(deeds)()

    def register(self) -> list[bytes]:
        operator, agent, draw = self.draw.choice(OPERATORS), self.draw.choice(AGENTS), self.draw
        where = endpoint(f"10.0.{draw.randrange(6)}.{draw.randrange(1, 250)}")
        machine = hardware(draw.choice((2_000, 4_000)), 8_192, 300_000)
        ask = self.ask()
        arguments = (address(agent), where, draw.choice(PLACES), machine, ask)
        return [
            self.call(operator, Nodes, "register", *arguments, value=draw.choice((200, 1_000, 1_400)) * WEI_PER_FLUX)
        ]

    def activate(self) -> list[bytes]:
        return [self.call(self.draw.choice(AGENTS), Nodes, "activate")]

    def leave(self) -> list[bytes]:
        if not self.nodes or self.draw.random() < 0.6:
            return []
        node = self.draw.choice(self.nodes)
        return [self.call(self.operators[node.operator], Nodes, "leave", node.id)]

    def see(self) -> list[bytes]:
        """Members of last epoch's committees say what they saw; sometimes one lies or reports on others' targets."""
        head, draw = self.head, self.draw
        epoch, found = head.probes.previous_epoch(head.ctx).epoch, []
        for member in draw.sample(self.nodes, min(4, len(self.nodes))):
            targets = head.probes.past_targets(head.ctx, member.id) if draw.random() < 0.9 else [member.id]
            counts = [TargetCount(node, U32(60), U32(draw.choice((60, 60, 30, 0)))) for node in targets]
            found += self.of_node(member.id, Probes, "report", epoch, Hash(draw.randbytes(32)), counts)
        return found

    def earn(self) -> list[bytes]:
        """Somebody takes or stakes what a node has earned, or has it settled."""
        if not self.nodes:
            return []
        node = self.draw.choice(self.nodes)
        holder = self.draw.choice((self.operators[node.operator], self.draw.choice(TENANTS)))
        return [self.call(holder, Rewards, self.draw.choice(("claim", "claim", "compound", "settle")), node.id)]

    def stake(self) -> list[bytes]:
        """Somebody bonds, moves, frees or takes stake, or looks after somebody's position."""
        if not self.nodes:
            return []
        draw = self.draw
        node, other = draw.choice(self.nodes).id, draw.choice(self.nodes).id
        holder = draw.choice((*OPERATORS, *TENANTS))
        amount = draw.choice((EVERYTHING, draw.randrange(1, 400) * WEI_PER_FLUX + draw.randrange(WEI_PER_FLUX)))
        match draw.randrange(6):
            case 0 | 1:
                value = draw.randrange(1, 500) * WEI_PER_FLUX // 2
                return [self.call(holder, Staking, "delegate", node, value=value)]
            case 2:
                return [self.call(holder, Staking, "undelegate", node, amount)]
            case 3:
                return [self.call(holder, Staking, "redelegate", node, other, amount)]
            case 4:
                return [self.call(holder, Staking, "withdraw", node)]
            case _:
                return [self.call(holder, Staking, "refresh", node, address(draw.choice((*OPERATORS, *TENANTS))))]

    def validate(self) -> list[bytes]:
        """An operator or an agent does something about its validator."""
        return validator_users.act(self, self.draw)

    def declare(self) -> list[bytes]:
        if not self.nodes:
            return []
        node = self.draw.choice(self.nodes)
        operator = self.operators[node.operator]
        if self.draw.random() < 0.5:
            return [self.call(operator, Nodes, "set_ask", node.id, self.ask())]
        machine = hardware(self.draw.choice((1_000, 2_000, 8_000)), 8_192, 300_000)
        return [self.call(operator, Nodes, "set_hardware", node.id, machine)]

    def deploy(self) -> list[bytes]:
        tenant, draw = self.draw.choice(TENANTS), self.draw
        if sum(app.status.name != "CLOSED" for app in self.apps) > 7:
            return []
        spec = self.spec()
        secret = b"ciphertext" if spec.private else b""
        count = U16(draw.randrange(1, 5))
        value = self.head.escrow.quote_of(self.head.ctx, spec, count) * draw.choice((1, 1, 2, 9))
        arguments = (f"app-{draw.randrange(20)}", count, encode_spec(spec), secret)
        return [self.call(tenant, Apps, "deploy", *arguments, value=value)]

    def update(self) -> list[bytes]:
        spec = self.spec()
        secret = b"ciphertext" if spec.private else b""
        return self.own(Apps, "update", U16(self.draw.randrange(1, 5)), encode_spec(spec), secret)

    def scale(self) -> list[bytes]:
        return self.own(Apps, "scale", U16(self.draw.randrange(0, 6)))

    def pause_or_resume(self) -> list[bytes]:
        return self.own(Apps, self.draw.choice(("pause", "resume", "resume")))

    def top_up(self) -> list[bytes]:
        return self.own(Escrow, "top_up", value=self.draw.randrange(1, 9) * 10**15)

    def remove(self) -> list[bytes]:
        return self.own(Apps, "remove") if self.draw.random() < 0.4 else []

    def move(self) -> list[bytes]:
        return self.own(Market, "move", U16(self.draw.randrange(4)))

    def confirm(self) -> list[bytes]:
        assigned = [lease for lease in self.leases if lease.state is LeaseState.ASSIGNED]
        if not assigned:
            return []
        lease = self.draw.choice(assigned)
        spec = self.head.market.spec_of(lease)
        bindings = [
            PortBinding(part.name, U16(port.container), U16(20_000 + port.container), 6)  # type: ignore[arg-type]
            for part in spec.components
            for port in part.ports
        ]
        return self.of_node(lease.node, Market, "confirm", lease.id, bindings)

    def fail(self) -> list[bytes]:
        if not self.leases or self.draw.random() < 0.5:
            return []
        lease = self.draw.choice(self.leases)
        return self.of_node(lease.node, Market, "fail", lease.id, self.draw.choice(list(FailReason)), "it\nbroke")

    def hand_seeds(self) -> list[bytes]:
        if not self.leases:
            return []
        lease = self.draw.choice(self.leases)
        seed = SealedSeed(lease.id, self.draw.randbytes(64))
        if self.draw.random() < 0.5:
            return self.of_node(self.draw.choice(self.leases).node, Secrets, "hand_over", lease.app, seed)
        owner = self.head.apps.app(self.head.ctx, lease.app).owner
        return [self.call(self.owners[owner], Secrets, "seal", lease.app, [seed])]

    def outage(self) -> list[bytes]:
        """Most of a committee loses a node."""
        if not self.nodes:
            return []
        node = self.draw.choice(self.nodes)
        members = self.head.probes.committee(self.head.ctx, node.id)[: self.draw.randrange(1, 6)]
        return [raw for member in members for raw in self.of_node(member, Probes, "suspect", node.id)]

    def refute(self) -> list[bytes]:
        """A suspect node and its second committee say that it is alive."""
        found: list[bytes] = []
        for node in self.head.probes.suspicions(self.head.ctx):
            found += self.of_node(node, Probes, "alive")
            for member in self.head.probes.second_committee(self.head.ctx, node)[: self.draw.randrange(9)]:
                found += self.of_node(member, Probes, "reached", node)
        return found

    def lie(self) -> list[bytes]:
        node = NodeId(U32(self.draw.randrange(14)))
        method = self.draw.choice(("suspect", "reached"))
        return [self.call(self.draw.choice(AGENTS), Probes, method, node)]

    def measure(self) -> list[bytes]:
        """A committee measures a node: well, too slow, or nearer than it says it is; sometimes a stranger does."""
        if not self.nodes:
            return []
        node = self.draw.choice(self.nodes)
        rates = [U32(5_000) if self.draw.random() < 0.95 else U32(0) for _ in range(5)]
        seen = Measurement(*rates, U32(self.draw.choice((1, 200_000))))  # type: ignore[call-arg]
        members = self.head.benchmarks.committee(self.head.ctx, node.id)[: self.draw.randrange(1, 6)]
        if self.draw.random() < 0.2:
            members = [self.draw.choice(self.nodes).id]
        return [raw for member in members for raw in self.of_node(member, Benchmarks, "report", node.id, seen)]

    def prosecute(self) -> list[bytes]:
        """Somebody opens a case for a fault that the chain saw, or for one that it did not."""
        faults = self.head.slashing.faults(self.head.ctx, FaultId(U64(1)), U16(10))
        fault = self.draw.choice(faults).id if faults else FaultId(U64(self.draw.randrange(5)))
        deposit = self.draw.choice((self.head.slashing.params.deposit,) * 4 + (1,))
        return [self.call(self.draw.choice(TENANTS), Slashing, "prosecute", fault, value=deposit)]

    def lie_about_work(self) -> list[bytes]:
        """A node signed a false answer, or an honest one that is called false; sometimes it is another's signature."""
        if not self.nodes or self.draw.random() < 0.6:
            return []
        node, seed = self.draw.choice(self.nodes), Hash(self.draw.randbytes(32))
        epoch = self.head.probes.epoch(self.head.ctx).epoch
        results = run_chain(seed, 0, 2)
        if self.draw.random() < 0.7:
            results = results[:32] + bytes(32)
        signing = self.agents[node.agent] if self.draw.random() < 0.8 else AGENTS[0]
        signature = signer(signing).sign_hash(answer_hash(node.id, epoch, seed, 2, results)).to_bytes()
        arguments = (node.id, epoch, seed, U32(2), results, U32(1), signature)
        value = self.head.slashing.params.deposit
        return [self.call(self.draw.choice(TENANTS), Slashing, "prove_false_answer", *arguments, value=value)]

    def appeal(self) -> list[bytes]:
        cases = [case for case in self.cases() if case.state is CaseState.OPEN]
        if not cases:
            return []
        case = self.draw.choice(cases)
        node = self.head.nodes.find(case.node)
        assert node is not None
        who = self.operators[node.operator] if self.draw.random() < 0.9 else self.draw.choice(TENANTS)
        return [self.call(who, Slashing, "appeal", case.id, "it was the weather", value=case.deposit)]

    def judge(self) -> list[bytes]:
        """Jurors vote and show their votes; some forget, some lie about what they committed to."""
        found: list[bytes] = []
        for case in self.cases():
            for juror in case.jury:
                node = self.head.nodes.find(juror)
                assert node is not None
                who, guilty = self.operators[node.operator], (juror + case.id) % 3 > 0
                salt = Hash(case.id.to_bytes(32, "big"))
                if self.draw.random() < 0.3:
                    continue
                if case.state is CaseState.COMMITTING:
                    hidden = commitment(case.id, node.operator, salt, guilty=guilty)
                    found.append(self.call(who, Slashing, "commit", case.id, hidden))
                elif case.state is CaseState.REVEALING:
                    shown = guilty if self.draw.random() < 0.9 else not guilty
                    found.append(self.call(who, Slashing, "reveal", case.id, shown, salt))
        return found

    def cases(self) -> list[Case]:
        """The newest cases."""
        newest = self.head.slashing.state.last_case.get()
        return self.head.slashing.cases(self.head.ctx, CaseId(U64(max(1, newest - 5))), U16(10))

    def pay(self) -> list[bytes]:
        if self.apps and self.draw.random() < 0.5:
            return [self.call(self.draw.choice(TENANTS), Escrow, "settle", self.draw.choice(self.apps).id)]
        target = address(self.draw.choice(TENANTS))
        return [self.call(self.draw.choice(OPERATORS), Accounts, "transfer", target, 10**15)]

    def lock(self) -> list[bytes]:
        amount = self.draw.randrange(1, 1_500) * WEI_PER_FLUX
        return [self.call(self.draw.choice(OPERATORS), Votes, "lock", value=amount)]

    def unlock(self) -> list[bytes]:
        voter = self.draw.choice(OPERATORS)
        locked = self.head.votes.holding(self.head.ctx, address(voter)).locked
        return [self.call(voter, Votes, "unlock", Wei(U256(locked // self.draw.choice((1, 5, 9, 20)))))]

    def delegate(self) -> list[bytes]:
        target = address(self.draw.choice((*OPERATORS, *TENANTS)))
        return [self.call(self.draw.choice(OPERATORS), Votes, "delegate", target)]

    def propose(self) -> list[bytes]:
        """Something of everything that governance may do, within bounds and out of them."""
        draw = self.draw
        actions = []
        for _ in range(draw.choice((1, 1, 2))):
            path, value = draw.choice(NUMBERS), U256(draw.choice((30, 45, 60, 90, 200, 10**6)))
            app = draw.choice(self.apps).id if self.apps else 1
            actions.append(
                draw.choice(
                    (
                        (Parameters, "set_parameter", path, value),
                        (Parameters, "set_parameter", path, value),
                        (Accounts, "grant", address(draw.choice(TENANTS)), Wei(U256(draw.randrange(10**15)))),
                        (Oracle, "register_feeder", address(draw.choice(OPERATORS))),
                        (Oracle, "register_feeder", address(draw.choice(OPERATORS))),
                        (Oracle, "remove_feeder", address(draw.choice(OPERATORS)), draw.random() < 0.5),
                        (Policy, "deny_app", app, "because"),
                        (Policy, "allow_app", app),
                    )
                )
            )
        calls = [(contract.address, CALLS[contract, name].encode(*rest)) for contract, name, *rest in actions]
        targets, data = [target for target, _ in calls], [item for _, item in calls]
        text = f"proposal {draw.randrange(10**6)}"
        proposer = draw.choice(OPERATORS)
        return [self.call(proposer, Governor, "propose", targets, [U256(0)] * len(targets), data, text)]

    def vote(self) -> list[bytes]:
        open_now = [info for info in self.proposals() if info.state is ProposalState.ACTIVE]
        if not open_now:
            return []
        id = self.draw.choice(open_now).proposal.id
        voters = OPERATORS if self.draw.random() < 0.5 else [self.draw.choice((*OPERATORS, *TENANTS))]
        return [
            self.call(voter, Governor, "cast_vote", id, self.draw.choice((0, 1, 1, 1, 1, 2, 3))) for voter in voters
        ]

    def hurry(self) -> list[bytes]:
        """Somebody queues, executes or cancels by hand, at a right or wrong time."""
        if not (known := self.proposals()):
            return []
        info = self.draw.choice(known)
        proposal = info.proposal
        values = [U256(0)] * len(proposal.targets)
        method = self.draw.choice(("queue", "execute", "cancel"))
        arguments = (list(proposal.targets), values, list(proposal.calldatas), proposal.description_hash)
        sender = self.operators[proposal.proposer] if self.draw.random() < 0.5 else self.draw.choice(OPERATORS)
        return [self.call(sender, Governor, method, *arguments)]

    def police(self) -> list[bytes]:
        if self.draw.random() < 0.5:
            return self.own(Policy, "appeal", "not guilty")
        return self.own(Policy, "enforce")

    def feed(self) -> list[bytes]:
        """Feeders join, report what is about right, lie, and leave."""
        feeder, draw = self.draw.choice(OPERATORS), self.draw
        if draw.random() < 0.3:
            return [self.call(feeder, Oracle, "join", value=100 * WEI_PER_FLUX)]
        if draw.random() < 0.05:
            return [self.call(feeder, Oracle, "leave")]
        if self.nodes and draw.random() < 0.3:
            node = draw.choice(self.nodes)
            usd = UsdAsk(*(U64(draw.randrange(0, 200_000)) for _ in range(4)))
            return [self.call(self.operators[node.operator], Oracle, "set_usd_ask", node.id, usd)]
        price = draw.choice((0, 10**30 % 2**64, 1, draw.randrange(4_500_000, 5_500_000), 5_000_000, 5_100_000))
        return [self.call(feeder, Oracle, "report", U64(price))]

    def proposals(self) -> list[ProposalInfo]:
        """The newest ones."""
        first = max(1, self.head.governor.proposal_count(self.head.ctx) - 5)
        return self.head.governor.proposals(self.head.ctx, U64(first), U16(10))

    def ask(self) -> Ask:
        return Ask(*(U64(self.draw.randrange(1, 4) * part) for part in (8_000_000, 4_000_000, 100_000, 1)))

    def spec(self) -> AppSpec:
        draw = self.draw
        part = Component(
            name="web",
            image=IMAGE,
            cpu_milli=draw.choice((200, 600, 1_500)),
            memory_mib=256,
            ports=(Port(80),) if draw.random() < 0.5 else (),
        )
        volumes = (Volume("data", 100),) if draw.random() < 0.4 else ()
        constraints = Constraints(geo=draw.choice(((), (), ("acEU",), ("a!cNA",))))
        return AppSpec(components=(part,), volumes=volumes, constraints=constraints, private=draw.random() < 0.3)

    def own(self, contract: type[Contract], method: str, *arguments: object, value: int = 0) -> list[bytes]:
        """A call by the owner of some app."""
        if not self.apps:
            return []
        app = self.draw.choice(self.apps)
        return [self.call(self.owners[app.owner], contract, method, app.id, *arguments, value=value)]

    def of_node(self, node: NodeId, contract: type[Contract], method: str, *arguments: object) -> list[bytes]:
        """A call by the agent of a node."""
        record = self.head.nodes.find(node)
        return [] if record is None else [self.call(self.agents[record.agent], contract, method, *arguments)]

    def call(self, account: int, contract: type[Contract], method: str, *arguments: object, value: int = 0) -> bytes:
        """A signed call; reports of agents offer no fee."""
        call = CALLS[contract, method]
        fee = 0 if call.lane else 20 * GWEI
        sender = address(account)
        nonce = self.nonces.get(account, decode_account(self.head.world.base.get(tables.ACCOUNT + sender))[0])
        self.nonces[account] = nonce + 1
        draft = Draft(
            chain_id=U64(LOCAL),
            nonce=Nonce(U64(nonce)),
            to=Address(call.contract),
            value=Wei(U256(value)),
            data=call.encode(*arguments),
            gas_limit=Gas(U64(4_000_000)),
            fees=Fees(max_fee=Wei(U256(fee)), max_priority_fee=Wei(U256(min(fee, GWEI)))),
        )
        return sign_transaction(draft, signer(account)).raw
