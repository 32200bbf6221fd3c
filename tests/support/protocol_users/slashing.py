"""What accusers, accused and jurors do."""

from flux.contracts.slashing.contract import Slashing
from flux.contracts.slashing.types import Case, CaseId, CaseState, FaultId, commitment
from flux.primitives.cpu_work import answer_hash, run_chain
from flux.primitives.types import U16, U32, U64, Hash
from support.chain_lab import signer
from support.protocol_users.users import AGENTS, TENANTS, Users


def prosecute(users: Users) -> list[bytes]:
    """Somebody opens a case for a fault that the chain saw, or for one that it did not."""
    faults = users.head.slashing.faults(users.head.ctx, FaultId(U64(1)), U16(10))
    fault = users.draw.choice(faults).id if faults else FaultId(U64(users.draw.randrange(5)))
    deposit = users.draw.choice((users.head.slashing.params.deposit,) * 4 + (1,))
    return [users.call(users.draw.choice(TENANTS), Slashing, "prosecute", fault, value=deposit)]


def lie_about_work(users: Users) -> list[bytes]:
    """A node signed a false answer, or an honest one that is called false; sometimes it is another's signature."""
    if not users.nodes or users.draw.random() < 0.6:
        return []
    node, seed = users.draw.choice(users.nodes), Hash(users.draw.randbytes(32))
    epoch = users.head.probes.epoch(users.head.ctx).epoch
    results = run_chain(seed, 0, 2)
    if users.draw.random() < 0.7:
        results = results[:32] + bytes(32)
    signing = users.agents[node.agent] if users.draw.random() < 0.8 else AGENTS[0]
    signature = signer(signing).sign_hash(answer_hash(node.id, epoch, seed, 2, results)).to_bytes()
    arguments = (node.id, epoch, seed, U32(2), results, U32(1), signature)
    value = users.head.slashing.params.deposit
    return [users.call(users.draw.choice(TENANTS), Slashing, "prove_false_answer", *arguments, value=value)]


def appeal(users: Users) -> list[bytes]:
    cases = [case for case in newest_cases(users) if case.state is CaseState.OPEN]
    if not cases:
        return []
    case = users.draw.choice(cases)
    node = users.head.nodes.find(case.node)
    assert node is not None
    who = users.operators[node.operator] if users.draw.random() < 0.9 else users.draw.choice(TENANTS)
    return [users.call(who, Slashing, "appeal", case.id, "it was the weather", value=case.deposit)]


def judge(users: Users) -> list[bytes]:
    """Jurors vote and show their votes; some forget, some lie about what they committed to."""
    found: list[bytes] = []
    for case in newest_cases(users):
        for juror in case.jury:
            node = users.head.nodes.find(juror)
            assert node is not None
            who, guilty = users.operators[node.operator], (juror + case.id) % 3 > 0
            salt = Hash(case.id.to_bytes(32, "big"))
            if users.draw.random() < 0.3:
                continue
            if case.state is CaseState.COMMITTING:
                hidden = commitment(case.id, node.operator, salt, guilty=guilty)
                found.append(users.call(who, Slashing, "commit", case.id, hidden))
            elif case.state is CaseState.REVEALING:
                shown = guilty if users.draw.random() < 0.9 else not guilty
                found.append(users.call(who, Slashing, "reveal", case.id, shown, salt))
    return found


def newest_cases(users: Users) -> list[Case]:
    """The newest cases."""
    newest = users.head.slashing.state.last_case.get()
    return users.head.slashing.cases(users.head.ctx, CaseId(U64(max(1, newest - 5))), U16(10))
