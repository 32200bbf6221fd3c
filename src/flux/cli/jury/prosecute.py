"""`flux jury prosecute`."""

from pathlib import Path
from typing import Annotated

import typer

from flux.agent.challenges.evidence import BadEvidence, read
from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.errors import CliError, UsageError
from flux.cli.jury import cases
from flux.contracts.slashing.types import CaseId, CaseOpened
from flux.sdk.bindings.slashing import Slashing
from flux.sdk.client import FluxClient, Receipt
from flux.sdk.signer import Signer


async def run(
    context: CommandContext,
    fault: Annotated[
        str | None, typer.Argument(metavar="FAULT", help="Number of a fault that the chain saw: `flux node faults`.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", metavar="FILE", help="A false answer that an agent kept.")
    ] = None,
) -> None:
    """Open a case against a node. The deposit comes back, with the reporter's share, unless a jury acquits."""
    if (fault is None) == (evidence is None):
        raise UsageError("name a fault by its number, or a file with --evidence", "see `flux node faults`")
    async with context.client() as client:
        signer = await context.signer(client)
        receipt = await _send(client, signer, fault, evidence)
        (opened,) = [event for event in receipt.events() if isinstance(event, CaseOpened)]
        case = await Slashing(client).case(CaseId(opened.case))
    context.output.line(
        f"Case {case.id} against node {case.node} is open: {cases.KINDS[case.kind]}."
        f" Its operator may appeal; your deposit is {show.flux(case.deposit)}."
    )
    context.output.document({**cases.document(case), "transaction": f"0x{receipt.transaction.hex()}"})


async def _send(client: FluxClient, signer: Signer, fault: str | None, evidence: Path | None) -> Receipt:
    slashing = Slashing(client)
    deposit = (await slashing.parameters()).deposit
    if fault is not None:
        return await slashing.prosecute(signer, cases.fault_number(fault), value=deposit)
    assert evidence is not None
    try:
        found = read(evidence)
    except BadEvidence as error:
        raise CliError(str(error), "agents keep evidence in FLUX_HOME/node/evidence") from error
    return await slashing.prove_false_answer(
        signer,
        found.node,
        found.epoch,
        found.seed,
        found.length,
        found.results,
        found.position,
        found.signature,
        value=deposit,
    )
