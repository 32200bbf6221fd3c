"""Cases against nodes in words, and numbers of cases as they are written."""

from typing import Any

from flux.cli import format as show
from flux.cli.errors import UsageError
from flux.contracts.slashing.types import Case, CaseId, CaseState, FaultId, FaultKind
from flux.primitives.types import U16, U64
from flux.sdk.bindings.slashing import Slashing
from flux.sdk.client import FluxClient

PAGE = 200
KINDS = {
    FaultKind.FALSE_BENCHMARK: "it signed a false benchmark answer",
    FaultKind.FALSE_SUSPICION: "it kept reporting nodes that were reachable",
    FaultKind.ABANDONED_LEASES: "it kept vanishing while it held leases",
}
STATES = {
    CaseState.OPEN: "may be appealed",
    CaseState.APPEALED: "a jury is drawn",
    CaseState.COMMITTING: "the jury votes",
    CaseState.REVEALING: "the jury shows its votes",
    CaseState.SLASHED: "slashed",
    CaseState.DISMISSED: "dismissed",
}
OVER = (CaseState.SLASHED, CaseState.DISMISSED)


def case_number(text: str) -> CaseId:
    """A case's number as it was written."""
    return CaseId(_number(text, "a case", "see the numbers with `flux jury ls`"))


def fault_number(text: str) -> FaultId:
    """A fault's number as it was written."""
    return FaultId(_number(text, "a fault", "see the numbers with `flux node faults`"))


async def all_cases(client: FluxClient) -> list[Case]:
    """Every case, by number."""
    slashing = Slashing(client)
    found: list[Case] = []
    while page := await slashing.cases(CaseId(U64(len(found) + 1)), U16(PAGE)):
        found += page
    return found


def state_text(case: Case, now: int) -> str:
    """Where a case stands and until when."""
    left = "" if case.state in OVER else f" for {show.duration(case.until - now)}"
    return f"{STATES[case.state]}{left}"


def document(case: Case) -> dict[str, Any]:
    """A case for scripts."""
    return {
        "case": case.id,
        "node": case.node,
        "kind": case.kind.name.lower(),
        "state": case.state.name.lower(),
        "until": case.until,
        "reporter": show.address(case.reporter),
        "deposit": show.exact(case.deposit),
        "jury": list(case.jury),
        "burned": show.exact(case.burned),
    }


def _number(text: str, what: str, hint: str) -> U64:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise UsageError(f"{what} is named by its number, got {text}", hint)
    return U64(int(text))
