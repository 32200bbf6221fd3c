"""Cases, appeals and juries on the command line."""

import json
from functools import partial
from typing import Any

import pytest

from flux.agent.hardware import benchmark
from support.false_answers import false_answer

SIZE = ("--cpu", "2", "--memory", "2048", "--disk", "10000")


def test_a_false_answer_is_prosecuted_once_and_appealed_by_its_operator(flux: Any) -> None:
    assert flux.json("jury", "ls") == []
    assert flux.json("node", "faults") == []
    assert "No cases." in flux.ok("jury", "ls")
    flux.ok("node", "init")
    made = flux.json("node", "register", "--location", "SA/BR/SP", *SIZE, "--account", "dev8")
    path = str(false_answer(flux.home, made["node"]))
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
    forged = flux.json("jury", "prosecute", "--evidence", str(false_answer(flux.home, 1)), code=3)["error"]
    assert forged["kind"] == "EvidenceForged"
    assert flux.json("jury", "prosecute", "77", code=3)["error"]["kind"] == "UnknownFault"
    assert "name a fault" in flux.json("jury", "prosecute", code=2)["error"]["message"]
    missing = flux.json("jury", "prosecute", "--evidence", str(flux.home / "none"), code=1)["error"]
    assert "cannot be read" in missing["message"]
    assert "a case is named by its number" in flux.json("jury", "reveal", "one", code=2)["error"]["message"]
    unknown = flux.json("jury", "reveal", "9", code=1)["error"]
    assert "no vote in case 9 was committed from here" in unknown["message"]
    assert flux.json("node", "appeal", "99", "--reason", "x", code=3)["error"]["kind"] == "UnknownCase"


def test_the_machine_is_measured_against_the_chains_tiers(flux: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "measure_cpu", partial(benchmark.measure_cpu, 0.1))
    monkeypatch.setattr(benchmark, "measure_disk", partial(benchmark.measure_disk, size_mib=16, seconds=0.2))
    monkeypatch.setattr(benchmark, "measure_memory", partial(benchmark.measure_memory, 0.1, 16))
    measured = flux.json("node", "benchmark")
    assert measured["cpu"]["all_events_per_second"] > 0
    assert measured["network_mbit_per_second"] is None
    assert set(measured["tiers"]) == {"cumulus", "nimbus", "stratus"}
    assert measured["tier"] in ("none", "cumulus", "nimbus", "stratus")
    shown = flux.ok("node", "benchmark")
    assert "CPU, one core" in shown
    assert "no node's keys" in shown
