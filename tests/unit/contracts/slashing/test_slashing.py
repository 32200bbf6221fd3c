"""From a fault to a slash: evidence, notice, appeal, jury, and who pays whom."""

import pytest

from flux.contracts.nodes.types import NodeId, UnknownNode
from flux.contracts.slashing import rules
from flux.contracts.slashing.types import (
    AlreadyVoted,
    Case,
    CaseId,
    CaseState,
    EvidenceForged,
    EvidenceKnown,
    EvidenceTooOld,
    FaultId,
    FaultKind,
    NotJuror,
    ReasonTooLong,
    SlashingParams,
    UnknownCase,
    UnknownFault,
    WrongCaseState,
    WrongDeposit,
    WrongReveal,
    commitment,
)
from flux.kernel.errors import Unauthorized
from flux.primitives.cpu_work import EVENT_BYTES, answer_hash, run_chain
from flux.primitives.types import U32, U64, Address, Hash
from flux.protocol.params import minimal
from flux.sdk.signer import LocalSigner
from support.contract_lab import FLUX, account
from support.protocol_world import ProtocolWorld

FIRST = NodeId(U32(1))
SEED = Hash(b"\x07" * 32)
AGENT = LocalSigner(b"\x21" * 32)
SALT = Hash(b"\x01" * 32)
OTHER_SALT = Hash(b"\x02" * 32)


def a_world(nodes: int = 8, **changes: object) -> ProtocolWorld:
    params: SlashingParams = minimal().slashing.but(**changes)
    world = ProtocolWorld(minimal().but(slashing=params))
    world.fleet(nodes)
    world.fund("reporter")
    return world


def pass_time(world: ProtocolWorld, seconds: int) -> None:
    world.block(seconds=seconds)
    world.block(seconds=0)


def step(world: ProtocolWorld, case: CaseId) -> Case:
    """Let the present window of a case pass."""
    ctx = world.world.context(account("anybody"))
    pass_time(world, world.slashing.case(ctx, case).until - ctx.now)
    return the_case(world, case)


def the_case(world: ProtocolWorld, case: CaseId) -> Case:
    return world.slashing.case(world.world.context(account("anybody")), case)


def stake(world: ProtocolWorld, node: NodeId = FIRST) -> int:
    return world.staking.stakes(node)[0]


def refuted(world: ProtocolWorld, times: int, node: NodeId = FIRST) -> None:
    for _ in range(times):
        world.slashing.suspicion_refuted(world.world.context(account("probes")), node)


def a_fault(world: ProtocolWorld, node: NodeId = FIRST) -> FaultId:
    refuted(world, world.params.slashing.strikes + 1, node)
    (fault,) = world.slashing.faults(world.world.context(account("anybody")), FaultId(U64(1)), 100)  # type: ignore[arg-type]
    return fault.id


def a_case(world: ProtocolWorld, node: NodeId = FIRST) -> CaseId:
    deposit = world.params.slashing.deposit
    case: CaseId = world.send(account("reporter"), world.slashing.prosecute, a_fault(world, node), value=deposit)
    return case


def appeal(world: ProtocolWorld, case: CaseId, reason: str = "the network was down") -> None:
    operator = world.nodes.node(world.world.context(account("x")), the_case(world, case).node).operator
    world.send(operator, world.slashing.appeal, case, reason, value=world.params.slashing.deposit)


def operator_of(world: ProtocolWorld, node: NodeId) -> Address:
    return world.nodes.node(world.world.context(account("x")), node).operator


def a_jury(world: ProtocolWorld) -> Case:
    case = a_case(world)
    appeal(world, case)
    return step(world, case)


def commit(world: ProtocolWorld, case: Case, juror: NodeId, *, guilty: bool) -> None:
    who = operator_of(world, juror)
    world.send(who, world.slashing.commit, case.id, commitment(case.id, who, SALT, guilty=guilty))


def reveal(world: ProtocolWorld, case: Case, juror: NodeId, *, guilty: bool, salt: Hash = SALT) -> None:
    world.send(operator_of(world, juror), world.slashing.reveal, case.id, guilty, salt)


def judged(world: ProtocolWorld, verdicts: list[bool | None]) -> Case:
    """A case in whose jury the members vote like this; None is silence."""
    case = a_jury(world)
    voters = list(zip(case.jury, verdicts, strict=True))
    for juror, guilty in voters:
        if guilty is not None:
            commit(world, case, juror, guilty=guilty)
    case = step(world, case.id)
    for juror, guilty in voters:
        if guilty is not None:
            reveal(world, case, juror, guilty=guilty)
    return step(world, case.id)


def test_a_few_strikes_are_notices_and_the_next_is_a_fault() -> None:
    world = a_world()
    refuted(world, world.params.slashing.strikes)
    assert list(world.slashing.state.faults.items()) == []
    refuted(world, 1)
    ((_, fault),) = world.slashing.state.faults.items()
    assert (fault.kind, fault.node) == (FaultKind.FALSE_SUSPICION, FIRST)
    refuted(world, 1)
    assert len(list(world.slashing.state.faults.items())) == 1


def test_strikes_of_long_ago_and_of_another_kind_do_not_add_up() -> None:
    world = a_world()
    refuted(world, world.params.slashing.strikes)
    world.slashing.leases_abandoned(world.world.context(account("probes")), FIRST)
    pass_time(world, world.params.slashing.strike_window + 1)
    refuted(world, 1)
    assert list(world.slashing.state.faults.items()) == []


def test_nobody_is_slashed_before_the_appeal_window_is_over_and_then_once() -> None:
    world = a_world()
    before, reporter = stake(world), world.world.balance(account("reporter"))
    case = a_case(world)
    assert stake(world) == before
    closed = step(world, case)
    assert closed.state is CaseState.SLASHED
    taken = before * world.params.slashing.false_suspicion // 1_000_000
    reward = taken * world.params.slashing.reward // 1_000_000
    assert stake(world) == before - taken
    assert closed.burned == taken - reward
    assert world.world.balance(account("reporter")) == reporter + reward
    pass_time(world, 1_000)
    assert stake(world) == before - taken


def test_each_kind_costs_what_the_table_says() -> None:
    params = minimal().slashing
    assert [rules.penalty(params, kind) for kind in FaultKind] == [50_000, 5_000, 10_000]


def test_a_fault_is_prosecuted_once_and_not_for_ever() -> None:
    world = a_world()
    fault, deposit = a_fault(world), world.params.slashing.deposit
    for value in (0, deposit - 1, deposit + 1):
        with pytest.raises(WrongDeposit):
            world.send(account("reporter"), world.slashing.prosecute, fault, value=value)
    world.send(account("reporter"), world.slashing.prosecute, fault, value=deposit)
    with pytest.raises(UnknownFault):
        world.send(account("reporter"), world.slashing.prosecute, fault, value=deposit)
    later = a_fault(world, NodeId(U32(2)))
    pass_time(world, world.params.slashing.evidence_age)
    with pytest.raises(UnknownFault):
        world.send(account("reporter"), world.slashing.prosecute, later, value=deposit)


def test_only_the_operator_appeals_and_only_in_time() -> None:
    world = a_world()
    case, deposit = a_case(world), world.params.slashing.deposit
    with pytest.raises(Unauthorized):
        world.send(account("reporter"), world.slashing.appeal, case, "", value=deposit)
    with pytest.raises(WrongDeposit):
        world.send(account("operator 1"), world.slashing.appeal, case, "")
    with pytest.raises(ReasonTooLong):
        world.send(account("operator 1"), world.slashing.appeal, case, "x" * 501, value=deposit)
    with pytest.raises(UnknownCase):
        world.send(account("operator 1"), world.slashing.appeal, CaseId(U64(9)), "", value=deposit)
    appeal(world, case)
    with pytest.raises(WrongCaseState):
        appeal(world, case)
    other = a_case(world, NodeId(U32(2)))
    step(world, other)
    with pytest.raises(WrongCaseState):
        appeal(world, other)


def test_the_jury_is_drawn_in_the_next_epoch_among_other_operators() -> None:
    world = a_world()
    case = a_case(world)
    appeal(world, case)
    drawn_from = world.probes.epoch(world.world.context(account("x"))).epoch
    found = step(world, case)
    assert world.probes.epoch(world.world.context(account("x"))).epoch > drawn_from
    assert (found.state, len(found.jury)) == (CaseState.COMMITTING, world.params.slashing.jury)
    assert FIRST not in found.jury
    assert len({operator_of(world, juror) for juror in found.jury}) == len(found.jury)


def test_a_reporter_who_operates_nodes_is_no_juror() -> None:
    world = a_world(7)
    deposit = world.params.slashing.deposit
    case = world.send(account("operator 2"), world.slashing.prosecute, a_fault(world), value=deposit)
    appeal(world, case)
    assert NodeId(U32(2)) not in step(world, case).jury


def test_without_enough_jurors_the_appeal_is_granted_and_both_deposits_return() -> None:
    world = a_world(3)
    reporter, operator = world.world.balance(account("reporter")), world.world.balance(account("operator 1"))
    before = stake(world)
    case = a_case(world)
    appeal(world, case)
    assert step(world, case).state is CaseState.DISMISSED
    assert stake(world) == before
    assert world.world.balance(account("reporter")) == reporter
    assert world.world.balance(account("operator 1")) == operator


@pytest.mark.parametrize(
    ("verdicts", "slashed"),
    [
        ([True, True, True, False, False], True),
        ([True, True, False, False, False], False),
        ([True, True, True, None, None], True),
        ([True, True, None, None, None], False),
        ([None] * 5, False),
        ([False] * 5, False),
    ],
)
def test_more_than_half_of_all_seats_must_say_guilty(verdicts: list[bool | None], slashed: bool) -> None:
    world = a_world()
    before = {node: stake(world, node) for node in world.agents}
    case = judged(world, verdicts)
    assert (case.state is CaseState.SLASHED) == slashed
    assert (stake(world) < before[FIRST]) == slashed
    for juror, verdict in zip(case.jury, verdicts, strict=True):
        assert (stake(world, juror) < before[juror]) == (verdict is None)


def test_the_losers_deposit_pays_the_jurors_who_spoke() -> None:
    world = a_world()
    deposit = world.params.slashing.deposit
    reporter, operator = world.world.balance(account("reporter")), world.world.balance(account("operator 1"))
    held = {node: world.world.balance(operator_of(world, node)) for node in world.agents}
    case = judged(world, [False, False, False, True, None])
    assert world.world.balance(account("reporter")) == reporter - deposit
    assert world.world.balance(account("operator 1")) == operator + deposit % 4
    for juror in case.jury[:4]:
        assert world.world.balance(operator_of(world, juror)) == held[juror] + deposit // 4
    assert world.world.balance(operator_of(world, case.jury[4])) == held[case.jury[4]]


def test_a_jury_that_says_nothing_is_paid_nothing() -> None:
    world = a_world()
    deposit, operator = world.params.slashing.deposit, world.world.balance(account("operator 1"))
    judged(world, [None] * 5)
    assert world.world.balance(account("operator 1")) == operator + deposit


def test_votes_are_cast_and_shown_by_jurors_once_each_in_their_time() -> None:
    world = a_world()
    case = a_jury(world)
    juror, other = case.jury[:2]
    with pytest.raises(NotJuror):
        world.send(account("reporter"), world.slashing.commit, case.id, SALT)
    with pytest.raises(WrongCaseState):
        reveal(world, case, juror, guilty=True)
    commit(world, case, juror, guilty=True)
    with pytest.raises(AlreadyVoted):
        commit(world, case, juror, guilty=False)
    copied = world.slashing.vote(world.world.context(account("x")), case.id, juror).commitment
    world.send(operator_of(world, other), world.slashing.commit, case.id, copied)
    case = step(world, case.id)
    with pytest.raises(WrongCaseState):
        commit(world, case, case.jury[2], guilty=True)
    with pytest.raises(WrongReveal):
        reveal(world, case, other, guilty=True)
    with pytest.raises(WrongReveal):
        reveal(world, case, juror, guilty=False)
    with pytest.raises(WrongReveal):
        reveal(world, case, juror, guilty=True, salt=OTHER_SALT)
    with pytest.raises(WrongReveal):
        reveal(world, case, case.jury[2], guilty=True)
    with pytest.raises(NotJuror):
        world.send(account("reporter"), world.slashing.reveal, case.id, True, SALT)
    reveal(world, case, juror, guilty=True)
    with pytest.raises(AlreadyVoted):
        reveal(world, case, juror, guilty=True)


def lying_world() -> ProtocolWorld:
    """Node 9 is one whose agent key the test has."""
    world = a_world()
    made = world.node(9, agent=AGENT.address)
    assert made == NodeId(U32(9))
    return world


LIAR = NodeId(U32(9))
HONEST = run_chain(SEED, 0, 2) + run_chain(SEED, 1, 2)
FALSE = HONEST[: 3 * EVENT_BYTES] + bytes(EVENT_BYTES)


def evidence(world: ProtocolWorld, **changes: object) -> tuple[object, ...]:
    epoch = world.probes.epoch(world.world.context(account("x"))).epoch
    facts = {
        "node": LIAR, "epoch": epoch, "seed": SEED, "length": U32(2), "results": FALSE, "position": U32(3), **changes,
    }  # fmt: skip
    signed = answer_hash(LIAR, facts["epoch"], facts["seed"], facts["length"], facts["results"])  # type: ignore[arg-type]
    facts["signature"] = changes.get("signature", AGENT.sign_hash(signed).to_bytes())
    return tuple(facts.values())


def prove(world: ProtocolWorld, **changes: object) -> CaseId:
    case: CaseId = world.send(
        account("reporter"), world.slashing.prove_false_answer, *evidence(world, **changes),
        value=world.params.slashing.deposit,
    )  # fmt: skip
    return case


def test_a_signed_false_answer_costs_a_twentieth() -> None:
    world = lying_world()
    before = stake(world, LIAR)
    case = step(world, prove(world))
    assert (case.kind, case.state) == (FaultKind.FALSE_BENCHMARK, CaseState.SLASHED)
    assert stake(world, LIAR) == before - before * 50_000 // 1_000_000


def test_the_same_evidence_counts_once_whichever_step_it_points_to() -> None:
    world = lying_world()
    prove(world)
    twice_false = HONEST[:EVENT_BYTES] + bytes(EVENT_BYTES) + FALSE[2 * EVENT_BYTES :]
    for changes in ({}, {"results": twice_false, "position": U32(1)}):
        with pytest.raises(EvidenceKnown):
            prove(world, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"results": HONEST}, "the step follows"),
        ({"position": U32(0)}, "the step follows"),
        ({"position": U32(4)}, "no such step"),
        ({"signature": bytes(65)}, "did not sign"),
        ({"signature": b""}, "did not sign"),
        ({"signature": LocalSigner(b"\x05" * 32).sign_hash(SEED).to_bytes()}, "did not sign"),
        ({"results": FALSE[:-1]}, "no whole chains"),
        ({"results": b""}, "no whole chains"),
        ({"length": U32(0)}, "no whole chains"),
        ({"length": U32(3)}, "no whole chains"),
    ],
)
def test_forged_evidence_is_refused_with_the_reason(changes: dict[str, object], reason: str) -> None:
    world = lying_world()
    with pytest.raises(EvidenceForged, match=reason):
        prove(world, **changes)
    assert list(world.slashing.state.cases.items()) == []


def test_evidence_of_another_node_or_time_is_refused() -> None:
    world = lying_world()
    with pytest.raises(UnknownNode):
        prove(world, node=NodeId(U32(99)))
    with pytest.raises(EvidenceForged):
        prove(world, node=FIRST)
    with pytest.raises(EvidenceTooOld):
        prove(world, epoch=U64(1_000))
    ctx = world.world.context(account("x"))
    first = world.probes.epoch(ctx).epoch
    for _ in range(world.params.slashing.evidence_epochs + 1):
        ctx = world.world.context(account("x"))
        pass_time(world, world.probes.epoch(ctx).ends_at - ctx.now)
    with pytest.raises(EvidenceTooOld):
        prove(world, epoch=first)


def test_stake_that_left_after_the_fault_is_slashed_too() -> None:
    world = a_world()
    world.fund("holder")
    world.send(account("holder"), world.staking.delegate, FIRST, value=500 * FLUX)
    case = a_case(world)
    world.send(account("holder"), world.staking.undelegate, FIRST, 500 * FLUX)
    before = world.staking.host.balance()
    step(world, case)
    assert world.staking.host.balance() == before - 1_500 * FLUX * 5_000 // 1_000_000
