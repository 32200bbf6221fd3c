"""Nodes join with a stake, report with a key that cannot touch it, and get it back when they are gone."""

from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flux.contracts.nodes.rules import NO_TIER
from flux.contracts.nodes.types import (
    AgentTaken,
    Architecture,
    Ask,
    InsufficientHardware,
    InsufficientStake,
    InvalidDeclaration,
    NodeId,
    NodeRegistered,
    NodeStatus,
    NodeStatusChanged,
    NodeUpdated,
    Tier,
    TooEarly,
    UnknownAgent,
    UnknownNode,
    WrongNodeStatus,
)
from flux.contracts.staking.types import EVERYTHING, OwnStakeTooLow
from flux.kernel.context import SYSTEM_ADDRESS
from flux.kernel.errors import Revert, Unauthorized
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.types import U8, U16, U32, U64, Address
from support.contract_lab import CHEAP, FLUX, FRANCE, Lab, account, endpoint, hardware

OPERATOR, AGENT, STRANGER = account("operator"), account("agent"), account("stranger")
ONE = NodeId(U32(1))


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    lab.fund(OPERATOR, 100_000)
    return lab


def register(lab: Lab, stake: int = 1_000, agent: Address = AGENT, cpu: int = 16_000) -> NodeId:
    args = (agent, endpoint(), FRANCE, hardware(cpu), CHEAP)
    return lab.send(OPERATOR, stake * FLUX, lab.nodes.register, *args)


def status(lab: Lab, node: NodeId = ONE) -> NodeStatus:
    return lab.nodes.node(lab.context(), node).status


def test_a_machine_joins_with_its_stake(lab: Lab) -> None:
    assert register(lab) == 1
    node = lab.nodes.node(lab.context(), ONE)
    assert (node.operator, node.agent, lab.staking.stakes(ONE)) == (OPERATOR, AGENT, (1_000 * FLUX, 1_000 * FLUX))
    assert (node.status, node.tier) == (NodeStatus.REGISTERED, Tier.CUMULUS)
    assert node.registered_at == node.status_since == lab.world.block.now
    assert lab.nodes.node_of_agent(lab.context(), AGENT) == 1
    assert lab.world.emitted(lab.nodes, NodeRegistered(ONE, OPERATOR, AGENT, U8(1)))
    assert lab.market.told == [("node", 1)]
    lab.check()


def test_ids_are_dense_and_an_agent_belongs_to_one_node(lab: Lab) -> None:
    register(lab)
    with pytest.raises(AgentTaken) as caught:
        register(lab)
    assert caught.value.node == 1
    assert register(lab, agent=account("second")) == 2
    assert lab.nodes.count(lab.context()) == 2


@pytest.mark.parametrize("agent", [ZERO_ADDRESS, OPERATOR])
def test_the_hot_key_is_a_key_of_its_own(lab: Lab, agent: Address) -> None:
    with pytest.raises(InvalidDeclaration):
        register(lab, agent=agent)


def test_too_little_stake_or_hardware_is_refused_and_costs_nothing(lab: Lab) -> None:
    with pytest.raises(InsufficientStake) as caught:
        register(lab, stake=99)
    assert (caught.value.required, caught.value.provided) == (100 * FLUX, 99 * FLUX)
    with pytest.raises(InsufficientHardware):
        register(lab, cpu=3_999)
    assert lab.world.balance(OPERATOR) == 100_000 * FLUX
    lab.check()


def test_stake_and_hardware_move_the_tier_both_ways(lab: Lab) -> None:
    register(lab)
    lab.send(OPERATOR, 11_500 * FLUX, lab.staking.delegate, ONE)
    assert lab.nodes.node(lab.context(), ONE).tier is Tier.NIMBUS
    lab.send(OPERATOR, 0, lab.nodes.set_hardware, ONE, hardware(4_000))
    assert lab.nodes.node(lab.context(), ONE).tier is Tier.CUMULUS
    lab.send(OPERATOR, 0, lab.nodes.set_hardware, ONE, hardware(8_000))
    assert lab.nodes.node(lab.context(), ONE).tier is Tier.NIMBUS
    with pytest.raises(InsufficientHardware):
        lab.send(OPERATOR, 0, lab.nodes.set_hardware, ONE, hardware(1_000))
    lab.check()


def test_declarations_change_by_the_operator_and_the_market_hears_of_it(lab: Lab) -> None:
    register(lab)
    ask = Ask(U64(1), U64(2), U64(3), U64(4))
    lab.send(OPERATOR, 0, lab.nodes.set_ask, ONE, ask)
    lab.send(OPERATOR, 0, lab.nodes.set_endpoint, ONE, endpoint("node.example"))
    node = lab.nodes.node(lab.context(), ONE)
    assert (node.ask, node.endpoint.host) == (ask, "node.example")
    assert lab.market.told == [("node", 1)] * 3
    with pytest.raises(InvalidDeclaration):
        lab.send(OPERATOR, 0, lab.nodes.set_ask, ONE, Ask(U64(2**41), U64(0), U64(0), U64(0)))


@pytest.mark.parametrize("caller", [AGENT, STRANGER])
def test_only_the_cold_key_decides(lab: Lab, caller: Address) -> None:
    register(lab)
    lab.fund(caller, 1)
    for attempt in (
        lambda: lab.send(caller, 0, lab.nodes.set_ask, ONE, CHEAP),
        lambda: lab.send(caller, 0, lab.nodes.set_endpoint, ONE, endpoint()),
        lambda: lab.send(caller, 0, lab.nodes.set_hardware, ONE, hardware()),
        lambda: lab.send(caller, 0, lab.nodes.leave, ONE),
    ):
        with pytest.raises(Unauthorized):
            attempt()


def test_the_agent_activates_and_nobody_else_can(lab: Lab) -> None:
    register(lab)
    with pytest.raises(UnknownAgent):
        lab.send(OPERATOR, 0, lab.nodes.activate)
    lab.send(AGENT, 0, lab.nodes.activate)
    assert status(lab) is NodeStatus.ACTIVE
    assert lab.world.emitted(lab.nodes, NodeStatusChanged(ONE, U8(2), ""))
    with pytest.raises(WrongNodeStatus):
        lab.send(AGENT, 0, lab.nodes.activate)


def test_a_suspended_node_returns_after_the_rejoin_delay(lab: Lab) -> None:
    node = lab.join("n")
    agent = account("n agent")
    lab.nodes.suspend(lab.context(SYSTEM_ADDRESS), node, "its committee lost it")
    record = lab.nodes.node(lab.context(), node)
    assert (record.status, record.status_reason) == (NodeStatus.SUSPENDED, "its committee lost it")
    lab.advance(59)
    with pytest.raises(TooEarly) as caught:
        lab.send(agent, 0, lab.nodes.activate)
    assert caught.value.allowed_from == lab.world.block.now + 1
    lab.advance(1)
    lab.send(agent, 0, lab.nodes.activate)
    assert lab.nodes.node(lab.context(), node).status_reason == ""
    lab.check()


def test_only_an_active_node_can_be_suspended(lab: Lab) -> None:
    register(lab)
    lab.nodes.suspend(lab.context(SYSTEM_ADDRESS), ONE, "lost")
    assert status(lab) is NodeStatus.REGISTERED


def test_a_node_without_leases_is_gone_at_once_and_its_stake_begins_to_unbond(lab: Lab) -> None:
    register(lab)
    lab.send(OPERATOR, 0, lab.nodes.leave, ONE)
    assert status(lab) is NodeStatus.GONE
    assert lab.staking.stakes(ONE) == (0, 0)
    (leaving,) = lab.staking.unbondings(lab.context(), OPERATOR)
    assert leaving.amount == 1_000 * FLUX
    lab.check()


def test_a_node_without_enough_stake_waits_for_delegators_before_it_can_start(lab: Lab) -> None:
    register(lab, stake=100)
    assert lab.nodes.node(lab.context(), ONE).tier is Tier.NONE
    with pytest.raises(InsufficientStake) as caught:
        lab.send(AGENT, 0, lab.nodes.activate)
    assert (caught.value.required, caught.value.provided) == (1_000 * FLUX, 100 * FLUX)
    lab.fund(STRANGER, 900)
    lab.send(STRANGER, 900 * FLUX, lab.staking.delegate, ONE)
    assert lab.nodes.node(lab.context(), ONE).tier is Tier.CUMULUS
    assert lab.world.emitted(lab.nodes, NodeUpdated(ONE, U8(Tier.CUMULUS)))
    lab.send(AGENT, 0, lab.nodes.activate)
    lab.check()


def test_an_active_node_whose_delegators_leave_is_suspended_and_comes_back_with_stake(lab: Lab) -> None:
    register(lab, stake=100)
    lab.fund(STRANGER, 2_000)
    lab.send(STRANGER, 900 * FLUX, lab.staking.delegate, ONE)
    lab.send(AGENT, 0, lab.nodes.activate)
    lab.send(STRANGER, 0, lab.staking.undelegate, ONE, 10 * FLUX)
    assert status(lab) is NodeStatus.ACTIVE, "a hundredth of what the tier asks for may be missing"
    lab.check()
    lab.send(STRANGER, 0, lab.staking.undelegate, ONE, 1 * FLUX)
    record = lab.nodes.node(lab.context(), ONE)
    assert (record.status, record.tier, record.status_reason) == (NodeStatus.SUSPENDED, Tier.NONE, NO_TIER)
    lab.advance(60)
    lab.send(STRANGER, 10 * FLUX, lab.staking.delegate, ONE)
    with pytest.raises(InsufficientStake):
        lab.send(AGENT, 0, lab.nodes.activate)
    lab.send(STRANGER, 1 * FLUX, lab.staking.delegate, ONE)
    lab.send(AGENT, 0, lab.nodes.activate)
    assert status(lab) is NodeStatus.ACTIVE
    lab.check()


def test_a_node_with_leases_drains_first_and_keeps_its_stake_until_then(lab: Lab) -> None:
    node = lab.join("n")
    operator = account("n operator")
    lab.fund(STRANGER, 10)
    app = lab.deploy(STRANGER, 1000)
    lab.send(operator, 0, lab.nodes.leave, node)
    assert status(lab, node) is NodeStatus.LEAVING
    with pytest.raises(OwnStakeTooLow):
        lab.send(operator, 0, lab.staking.undelegate, node, EVERYTHING)
    with pytest.raises(WrongNodeStatus):
        lab.send(operator, 0, lab.nodes.leave, node)
    lab.send(STRANGER, 0, lab.apps.remove, app)
    lab.nodes.drained(lab.context(SYSTEM_ADDRESS), node)
    assert status(lab, node) is NodeStatus.GONE
    lab.check()


def test_the_agent_key_of_a_node_that_is_gone_is_free_again(lab: Lab) -> None:
    register(lab)
    lab.send(OPERATOR, 0, lab.nodes.leave, ONE)
    assert lab.nodes.node_of_agent(lab.context(), AGENT) == 0
    assert register(lab) == 2
    lab.check()


def test_drained_means_nothing_to_a_node_that_does_not_leave(lab: Lab) -> None:
    register(lab)
    lab.nodes.drained(lab.context(SYSTEM_ADDRESS), ONE)
    assert status(lab) is NodeStatus.REGISTERED


def test_hardware_cannot_shrink_under_a_lease(lab: Lab) -> None:
    lab.join("n")
    lab.fund(STRANGER, 10)
    lab.deploy(STRANGER, 1000)
    operator = account("n operator")
    other_kind = hardware(architecture=Architecture.ARM64)
    with pytest.raises(InvalidDeclaration, match="architecture"):
        lab.send(operator, 0, lab.nodes.set_hardware, ONE, other_kind)
    lab.send(operator, 0, lab.nodes.set_hardware, ONE, hardware(4_000))


def test_pages_of_nodes_begin_where_asked_and_end_where_nodes_end(lab: Lab) -> None:
    for name in ("a", "b", "c"):
        lab.join(name)
    page = [node.id for node in lab.nodes.nodes(lab.context(), NodeId(U32(2)), U16(10))]
    assert page == [2, 3]
    assert [node.id for node in lab.nodes.nodes(lab.context(), NodeId(U32(0)), U16(2))] == [1, 2]
    assert lab.nodes.nodes(lab.context(), NodeId(U32(4)), U16(10)) == []
    assert lab.nodes.nodes(lab.context(), ONE, U16(0)) == []
    assert lab.nodes.network("192.0.2.9") == "192.0.2.0/24"
    with pytest.raises(UnknownNode):
        lab.nodes.node(lab.context(), NodeId(U32(4)))


def test_records_that_contradict_each_other_are_noticed(lab: Lab) -> None:
    register(lab)
    node = lab.nodes.node(lab.context(), ONE)
    for spoiled, words in (
        (node.but(tier=Tier.NONE, status=NodeStatus.ACTIVE), "has no tier"),
        (node.but(tier=Tier.STRATUS), "in tier STRATUS"),
        (node.but(status=NodeStatus.ACTIVE, status_reason="why"), "yet has a reason"),
        (node.but(status=NodeStatus.GONE), "index of agent keys"),
        (node.but(id=NodeId(U32(2))), "stored under 1"),
    ):
        lab.nodes.state.nodes.set(ONE, spoiled)
        with pytest.raises(AssertionError, match=words):
            lab.check()
    lab.nodes.state.nodes.set(ONE, node)
    lab.nodes.state.count.set(U32(2))
    with pytest.raises(AssertionError, match="2 are counted"):
        lab.check()
    lab.nodes.state.count.set(U32(1))
    lab.world.mint(lab.nodes.address, 1)
    with pytest.raises(AssertionError, match="stake belongs to staking"):
        lab.check()


class NodesMachine(RuleBasedStateMachine):
    """Random operations by random people."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab()
        self.people = [account(f"person {number}") for number in range(4)]
        for person in self.people:
            self.lab.fund(person, 100_000)

    def attempt(self, sender: int, value: int, function: object, *args: object) -> None:
        """A refused operation is fine; a broken invariant afterwards is not."""
        with suppress(Revert):
            self.lab.send(self.people[sender], value, function, *args)  # type: ignore[arg-type]

    @rule(
        sender=st.integers(0, 3),
        agent=st.integers(0, 5),
        stake=st.sampled_from([99, 100, 1_000, 12_500, 40_000]),
        cpu=st.sampled_from([3_000, 4_000, 8_000, 16_000]),
    )
    def register(self, sender: int, agent: int, stake: int, cpu: int) -> None:
        key = account(f"agent {agent}") if agent < 4 else self.people[agent - 4]
        args = (key, endpoint(), FRANCE, hardware(cpu), CHEAP)
        self.attempt(sender, stake * FLUX, self.lab.nodes.register, *args)

    @precondition(lambda self: self.lab.nodes.count(self.lab.context()))
    @rule(
        sender=st.integers(0, 3),
        node=st.integers(1, 4),
        what=st.sampled_from(["delegate", "undelegate", "leave", "withdraw", "hardware", "suspend", "activate"]),
        amount=st.sampled_from([0, 1, 11_500, 39_000]),
    )
    def change(self, sender: int, node: int, what: str, amount: int) -> None:
        id = NodeId(U32(node))
        nodes = self.lab.nodes
        match what:
            case "delegate":
                self.attempt(sender, amount * FLUX, self.lab.staking.delegate, id)
            case "undelegate":
                self.attempt(sender, 0, self.lab.staking.undelegate, id, amount * FLUX or EVERYTHING)
            case "withdraw":
                self.attempt(sender, 0, self.lab.staking.withdraw, id)
            case "hardware":
                self.attempt(sender, 0, nodes.set_hardware, id, hardware(amount))
            case "suspend":
                if nodes.find(id) is not None:
                    nodes.suspend(self.lab.context(SYSTEM_ADDRESS), id, "lost")
            case "activate":
                record = nodes.find(id)
                if record is not None:
                    self.lab.world.attempt(lambda: nodes.activate(self.lab.context(record.agent)))
            case _:
                self.attempt(sender, 0, getattr(nodes, what), id)

    @rule(seconds=st.sampled_from([1, 100, 21_600, 700_000]))
    def wait(self, seconds: int) -> None:
        self.lab.advance(seconds)

    @invariant()
    def everything_holds(self) -> None:
        self.lab.check()


NodesMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestNodesMachine = NodesMachine.TestCase
