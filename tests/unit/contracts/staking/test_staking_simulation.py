"""Random stakers, operators, slashes and clocks: every wei accounted for, and nobody better off than by the rules."""

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from flux.contracts.nodes.types import NodeId
from flux.contracts.staking.types import EVERYTHING, PartsPerMillion
from flux.kernel.context import SYSTEM_ADDRESS
from flux.kernel.errors import Revert
from flux.primitives.types import U16, U32, U64, U256, ChainTime, Wei
from flux.protocol.params import DEFAULT
from support.contract_lab import FLUX, Lab, account

NODES = ["one", "two", "three"]
PEOPLE = [account(name) for name in ("ann", "bob", "eve")]
EVERYBODY = [*PEOPLE, *(account(f"{name} operator") for name in NODES)]
STAKING = DEFAULT.staking.but(unbonding=U64(70), unbonding_step=U64(10), commission_interval=U64(20))

people = st.sampled_from(EVERYBODY)
nodes = st.integers(1, 4).map(lambda number: NodeId(U32(number)))
amounts = st.one_of(
    st.just(EVERYTHING), st.integers(0, 500 * FLUX), st.integers(0, 3), st.sampled_from([FLUX, FLUX + 1, 2**255])
)


class StakingMachine(RuleBasedStateMachine):
    """What anybody could do, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab(DEFAULT.but(staking=STAKING))

    @initialize()
    def begin(self) -> None:
        for name in NODES:
            self.lab.join(name)
        for person in EVERYBODY:
            self.lab.fund(person, 2_000)

    def attempt(self, person: bytes, value: int, function: object, *args: object) -> None:
        with suppress(Revert):
            self.lab.send(person, value, function, *args)  # type: ignore[arg-type]

    @rule(person=people, node=nodes, amount=st.one_of(st.integers(0, 300 * FLUX), st.just(FLUX)))
    def delegate(self, person: bytes, node: NodeId, amount: int) -> None:
        self.attempt(person, amount, self.lab.staking.delegate, node)

    @rule(person=people, node=nodes, amount=amounts)
    def undelegate(self, person: bytes, node: NodeId, amount: int) -> None:
        self.attempt(person, 0, self.lab.staking.undelegate, node, Wei(U256(amount)))

    @rule(person=people, source=nodes, goal=nodes, amount=amounts)
    def redelegate(self, person: bytes, source: NodeId, goal: NodeId, amount: int) -> None:
        self.attempt(person, 0, self.lab.staking.redelegate, source, goal, Wei(U256(amount)))

    @rule(person=people, node=nodes)
    def withdraw(self, person: bytes, node: NodeId) -> None:
        self.attempt(person, 0, self.lab.staking.withdraw, node)

    @rule(person=people, node=nodes, whose=people)
    def refresh(self, person: bytes, node: NodeId, whose: bytes) -> None:
        self.attempt(person, 0, self.lab.staking.refresh, node, whose)

    @rule(person=people, node=nodes, commission=st.integers(0, 6_000))
    def set_commission(self, person: bytes, node: NodeId, commission: int) -> None:
        self.attempt(person, 0, self.lab.staking.set_commission, node, U16(commission))

    @rule(node=nodes, parts=st.sampled_from([1, 1_000, 50_000, 333_333, 999_999]), ago=st.integers(0, 80), share=people)
    def slash(self, node: NodeId, parts: int, ago: int, share: bytes) -> None:
        context = self.lab.context(SYSTEM_ADDRESS)
        fault = ChainTime(U64(context.now - ago))
        safe = [self.lab.staking.unbondings(context, person) for person in EVERYBODY]
        reward = PartsPerMillion(U32(50_000))
        error = self.lab.world.attempt(
            lambda: self.lab.staking.slash(context, node, PartsPerMillion(U32(parts)), fault, "test", share, reward)  # type: ignore[func-returns-value,arg-type]
        )
        if error is not None:
            return
        for before, person in zip(safe, EVERYBODY, strict=True):
            for old, new in zip(before, self.lab.staking.unbondings(context, person), strict=True):
                if old.node != node or old.begins <= fault or old.ends <= context.now:
                    assert new == old
                else:
                    assert new.amount <= old.amount

    @rule(node=nodes)
    def leave(self, node: NodeId) -> None:
        record = self.lab.nodes.find(node)
        if record is not None:
            self.attempt(record.operator, 0, self.lab.nodes.leave, node)

    @rule(seconds=st.sampled_from([1, 9, 10, 35, 80]))
    def wait(self, seconds: int) -> None:
        self.lab.advance(seconds)

    @invariant()
    def every_wei_is_somewhere(self) -> None:
        self.lab.check()

    @invariant()
    def what_is_told_of_voting_power_is_what_is_stored(self) -> None:
        told = {account: power for account, power in self.lab.heard.powers.items() if power}
        assert told == dict(self.lab.staking.state.powers.items())

    def teardown(self) -> None:
        """In the end everybody can take everything out, and only rounding stays."""
        for node in range(1, len(NODES) + 1):
            self.leave(NodeId(U32(node)))
        self.lab.advance(200)
        for node in range(1, len(NODES) + 1):
            for person in EVERYBODY:
                self.undelegate(person, NodeId(U32(node)), EVERYTHING)
        self.lab.advance(200)
        for node in range(1, len(NODES) + 1):
            for person in EVERYBODY:
                self.withdraw(person, NodeId(U32(node)))
        self.lab.check()
        assert list(self.lab.staking.state.positions.items()) == []
        assert list(self.lab.staking.state.batches.items()) == []
        assert self.lab.staking.host.balance() == 0


StakingMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestStakingMachine = StakingMachine.TestCase
