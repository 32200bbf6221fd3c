"""Cases, appeals and juries on the command line."""

import json
import time
from pathlib import Path
from typing import Any

from flux.agent.challenges.evidence import keep
from flux.agent.challenges.examiner import FalseAnswer
from flux.agent.challenges.tasks import CpuTask
from flux.agent.identity import load
from flux.contracts.nodes.types import NodeId
from flux.primitives.cpu_work import answer_hash, run_chain
from flux.primitives.types import U32
from flux.wallet.development import development_addresses
from support.voting import pass_time

SEED = b"\x03" * 32
SIZE = ("--cpu", "2", "--memory", "2048", "--disk", "10000")


def false_answer(flux: Any, node: int, epoch: int = 0) -> Path:
    """A lie that the node in this FLUX_HOME signed."""
    results = run_chain(SEED, 0, 2)[:32] + bytes(32)
    signed = load(flux.home / "node").signer.sign_hash(answer_hash(node, epoch, SEED, 2, results))
    lie = FalseAnswer(CpuTask(epoch, SEED, 1, 2), results, 1, signed.to_bytes())
    return keep(flux.home / "evidence", NodeId(U32(node)), lie)


def test_a_false_answer_is_prosecuted_once_and_appealed_by_its_operator(flux: Any) -> None:
    assert flux.json("jury", "ls") == []
    assert flux.json("node", "faults") == []
    assert "No cases." in flux.ok("jury", "ls")
    flux.ok("node", "init")
    made = flux.json("node", "register", "--location", "SA/BR/SP", *SIZE, "--account", "dev8")
    path = str(false_answer(flux, made["node"]))
    case = flux.json("jury", "prosecute", "--evidence", path)
    assert (case["kind"], case["state"], case["node"]) == ("false_benchmark", "open", made["node"])
    again = flux.json("jury", "prosecute", "--evidence", path, code=3)["error"]
    assert again["kind"] == "EvidenceKnown"
    number = str(case["case"])
    stranger = flux.json("node", "appeal", number, "--reason", "no", "--account", "dev3", code=3)["error"]
    assert stranger["kind"] == "Unauthorized"
    appealed = flux.json("node", "appeal", number, "--reason", "a bad memory module", "--account", "dev8")
    assert appealed["state"] == "appealed"
    assert "it signed a false benchmark answer" in flux.ok("jury", "ls")
    early = flux.json("jury", "commit", number, "--guilty", "--account", "dev1", code=3)["error"]
    assert early["kind"] == "WrongCaseState"
    ballot = json.loads(next((flux.home / "jury").iterdir()).read_text())
    assert ballot["guilty"] is True


def test_forged_evidence_and_wrong_words_are_refused(flux: Any) -> None:
    flux.ok("node", "init")
    forged = flux.json("jury", "prosecute", "--evidence", str(false_answer(flux, 1)), code=3)["error"]
    assert forged["kind"] == "EvidenceForged"
    assert flux.json("jury", "prosecute", "77", code=3)["error"]["kind"] == "UnknownFault"
    assert "name a fault" in flux.json("jury", "prosecute", code=2)["error"]["message"]
    missing = flux.json("jury", "prosecute", "--evidence", str(flux.home / "none"), code=1)["error"]
    assert "cannot be read" in missing["message"]
    assert "a case is named by its number" in flux.json("jury", "reveal", "one", code=2)["error"]["message"]
    unknown = flux.json("jury", "reveal", "9", code=1)["error"]
    assert "no vote in case 9 was committed from here" in unknown["message"]
    assert flux.json("node", "appeal", "99", "--reason", "x", code=3)["error"]["kind"] == "UnknownCase"


def test_the_machine_is_measured_against_the_chains_tiers(flux: Any) -> None:
    measured = flux.json("node", "benchmark")
    assert measured["cpu"]["all_events_per_second"] > 0
    assert measured["network_mbit_per_second"] is None
    assert set(measured["tiers"]) == {"cumulus", "nimbus", "stratus"}
    assert measured["tier"] in ("none", "cumulus", "nimbus", "stratus")
    shown = flux.ok("node", "benchmark")
    assert "CPU, one core" in shown
    assert "no node's keys" in shown


def operators(flux: Any) -> dict[int, str]:
    """Accounts of the operators of active nodes, by node."""
    names = {f"0x{address.hex()}": f"dev{number}" for number, address in enumerate(development_addresses())}
    return {
        node["node"]: names[node["operator"].lower()] for node in flux.json("node", "ls") if node["status"] == "active"
    }


def at_once(flux: Any, *arguments: str) -> None:
    """A command that takes no time on the chain's clock, however busy the machine is."""
    begun = time.monotonic()
    flux.ok(*arguments)
    flux.chain.ahead -= time.monotonic() - begun


def reach(flux: Any, case: str, state: str) -> dict[str, Any]:
    """The case once it is in a state; the chain's clock runs ahead meanwhile."""
    for _ in range(60):
        found: dict[str, Any] = next(item for item in flux.json("jury", "ls", "--all") if str(item["case"]) == case)
        if found["state"] == state:
            return found
        pass_time(flux)
    raise AssertionError(found)


def test_a_jury_hears_an_appeal_its_guilty_verdict_slashes_and_silence_costs(flux: Any) -> None:
    flux.ok("node", "init")
    made = flux.json("node", "register", "--location", "SA/BR/SP", *SIZE, "--account", "dev7")["node"]
    evidence = str(false_answer(flux, made))
    case = str(flux.json("jury", "prosecute", "--evidence", evidence, "--account", "dev9")["case"])
    flux.ok("node", "appeal", case, "--reason", "a bad memory module", "--account", "dev7")
    jury = reach(flux, case, "committing")["jury"]
    accounts = operators(flux)
    assert len(jury) == 5
    assert set(jury) <= set(accounts)
    *speak, silent = [accounts[node] for node in jury]
    stakes = {account: float(flux.json("node", "show", str(node))["stake"]) for node, account in accounts.items()}
    for juror, verdict in zip(speak, ("--guilty", "--guilty", "--guilty", "--not-guilty"), strict=True):
        at_once(flux, "jury", "commit", case, verdict, "--account", juror)
    error = flux.json("jury", "commit", case, "--guilty", "--account", "dev9", code=3)["error"]
    assert error["kind"] == "NotJuror"
    reach(flux, case, "revealing")
    before = {juror: float(flux.json("wallet", "balance", juror)["balance"]) for juror in speak}
    for juror in speak:
        at_once(flux, "jury", "reveal", case, "--account", juror)
    closed = reach(flux, case, "slashed")
    assert float(closed["burned"]) > 0
    assert float(flux.json("node", "show", str(made))["stake"]) == 950
    after = {juror: float(flux.json("wallet", "balance", juror)["balance"]) for juror in speak}
    assert all(after[juror] - before[juror] > 0.2 for juror in speak), "a quarter of the accused's deposit of 1 FLUX"
    lost = {
        account: stakes[account] - float(flux.json("node", "show", str(node))["stake"])
        for node, account in accounts.items()
    }
    assert lost[silent] == 1
    assert all(lost[juror] == 0 for juror in speak)
