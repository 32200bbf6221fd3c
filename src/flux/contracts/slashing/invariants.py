"""What must hold of slashing after every block."""

from flux.contracts.slashing.contract import Slashing
from flux.contracts.slashing.types import CaseState

_APPEALED = (CaseState.APPEALED, CaseState.COMMITTING, CaseState.REVEALING)
_OVER = (CaseState.SLASHED, CaseState.DISMISSED)


def check(slashing: Slashing) -> list[str]:
    """Violations as sentences."""
    problems = []
    held = 0
    cases = dict(slashing.state.cases.items())
    for id, case in cases.items():
        if case.id != id:
            problems.append(f"case {case.id} is stored under {id}")
        if case.state is CaseState.OPEN:
            held += case.deposit
        if case.state in _APPEALED:
            held += 2 * case.deposit
        if bool(case.jury) != (case.state in (CaseState.COMMITTING, CaseState.REVEALING)) and case.state not in _OVER:
            problems.append(f"case {id} is {case.state.name} with a jury of {len(case.jury)}")
        if case.node in case.jury or len(set(case.jury)) != len(case.jury):
            problems.append(f"the jury of case {id} holds the accused or a juror twice")
        if case.burned and case.state is not CaseState.SLASHED:
            problems.append(f"case {id} is {case.state.name} and {case.burned} wei were burned")
    if slashing.host.balance() != held:
        problems.append(f"open cases hold {held} wei of deposits but the contract has {slashing.host.balance()}")
    if list(cases) != list(range(1, slashing.state.last_case.get() + 1)):
        problems.append(f"cases are not numbered from 1 to {slashing.state.last_case.get()}")
    prosecuted = [case for _, case in slashing.state.answers.items()]
    if len(set(prosecuted)) != len(prosecuted) or any(case not in cases for case in prosecuted):
        problems.append("a false answer is prosecuted twice or in no case")
    for (number, juror), vote in slashing.state.votes.items():
        if juror not in cases[number].jury:
            problems.append(f"node {juror} voted in case {number} and is no juror")
        if vote.revealed and cases[number].state is CaseState.COMMITTING:
            problems.append(f"node {juror} revealed a vote of case {number} too early")
    for (node, kind), strikes in slashing.state.strikes.items():
        if not 0 < strikes.count <= slashing.params.strikes:
            problems.append(f"node {node} has {strikes.count} strikes of kind {kind}")
    return problems
