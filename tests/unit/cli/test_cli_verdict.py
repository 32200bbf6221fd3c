"""A case from its evidence to the verdict, on a chain of its own: silent jurors of other cases would leave no jury."""

import time
from typing import Any

import pytest

from flux.wallet.development import development_addresses
from support.voting import pass_time
from unit.cli.test_cli_jury import SIZE, false_answer


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
    assert lost[silent] == pytest.approx(stakes[silent] / 1_000)
    assert all(lost[juror] == 0 for juror in speak)
