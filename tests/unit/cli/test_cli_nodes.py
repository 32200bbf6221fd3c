"""Operators' commands and the chain's, on a real chain in memory."""

import json
from typing import Any

import pytest


def test_nodes_are_listed_and_shown(flux: Any) -> None:
    nodes = flux.json("node", "ls")
    assert [node["node"] for node in nodes] == [1, 2, 3, 4, 5]
    assert {node["status"] for node in nodes} == {"active"}
    assert nodes[0]["prices"]["core"] == "0.02"
    shown = flux.json("node", "show", "1")
    assert shown["leases"] == []
    assert shown["used"]["cpu_milli"] == 0
    assert "EU/FR" in flux.ok("node", "ls")
    assert "asks per hour" in flux.ok("node", "show", "1")


def test_a_node_is_initialised_registered_repriced_and_leaves_with_its_stake(flux: Any) -> None:
    first = flux.json("node", "init")
    assert flux.json("node", "init") == first
    size = ("--cpu", "2", "--memory", "2048", "--disk", "10000")
    made = flux.json("node", "register", "--location", "SA/BR/SP", *size, "--account", "dev8")
    assert (made["tier"], made["stake"], made["agent"]) == ("cumulus", "1000", first["agent"])
    number = str(made["node"])
    again = flux.json("node", "register", "--location", "SA/BR", *size, "--account", "dev8", code=1)
    assert "already" in again["error"]["message"]
    offered = flux.json("node", "offer", number, "--price-cpu", "0.05", "--account", "dev8")
    prices = {"currency": "flux", "core": "0.05", "memory_gib": "0.01", "disk_gib": "0.0002", "gpu": "5"}
    assert offered["prices"] == prices
    assert flux.json("node", "withdraw", number, "--account", "dev8", code=3)["error"]["kind"] == "NothingToWithdraw"
    assert flux.json("node", "leave", number, "--account", "dev8")["status"] == "gone"
    assert flux.json("node", "withdraw", number, "--account", "dev8", code=3)["error"]["kind"] == "NothingToWithdraw"
    (leaving,) = flux.json("node", "delegations", "--account", "dev8")["leaving"]
    assert (leaving["node"], leaving["amount"], leaving["ripe"]) == (made["node"], "1000", False)
    assert "in " in flux.ok("node", "delegations", "dev8")


def test_anybody_stakes_on_a_node_moves_the_stake_and_takes_it_out_again(flux: Any) -> None:
    made = flux.json("node", "delegate", "1", "250", "--account", "dev7")
    assert (made["amount"], made["yours"]) == ("250", "250")
    assert float(made["stake"]) == 250 + float(flux.json("node", "show", "1")["own_stake"])
    flux.ok("node", "delegate", "1", "50.5", "--account", "dev7")
    moved = flux.json("node", "redelegate", "1", "2", "100", "--account", "dev7")
    assert (moved["amount"], moved["to"]) == ("100", 2)
    again = flux.json("node", "redelegate", "2", "3", "all", "--account", "dev7", code=3)["error"]
    assert (again["kind"], "delegations" in again["hint"]) == ("RedelegationCoolingDown", True)
    out = flux.json("node", "undelegate", "1", "all", "--account", "dev7")
    assert out["amount"] == "200.5"
    listed = flux.json("node", "delegations", "dev7")
    assert [(item["node"], item["amount"], item["locked"]) for item in listed["staked"]] == [(2, "100", "100")]
    assert listed["voting_power"] == "100"
    assert [item["amount"] for item in listed["leaving"]] == ["200.5"]
    assert "NODE" in flux.ok("node", "delegations", "dev7")


def test_an_operator_adds_own_stake_takes_it_out_and_sets_its_commission(flux: Any) -> None:
    shown = flux.json("node", "show", "2")
    assert shown["commission_percent"] == "10"
    stranger = flux.json("node", "stake", "2", "10", "--account", "dev6", code=3)["error"]
    assert "flux node delegate 2 10" in stranger["hint"]
    assert flux.json("node", "stake", "2", "10", "--account", "dev2")["amount"] == "10"
    assert flux.json("node", "unstake", "2", "10", "--account", "dev2")["amount"] == "10"
    assert flux.json("node", "unstake", "2", "all", "--account", "dev2", code=3)["error"]["kind"] == "OwnStakeTooLow"
    changed = flux.json("node", "commission", "3", "12.5%", "--account", "dev3")
    assert changed["commission_percent"] == "12.5"
    assert (
        flux.json("node", "commission", "3", "60", "--account", "dev3", code=3)["error"]["kind"] == "CommissionTooHigh"
    )
    assert "12.5%" in flux.ok("node", "show", "3")


def test_hardware_or_stake_that_reach_no_tier_are_refused_before_anything_is_sent(flux: Any) -> None:
    flux.ok("node", "init")
    small = flux.json(
        "node", "register", "--location", "EU/FR", "--cpu", "0.2", "--memory", "128", "--disk", "100", code=1
    )
    assert "reach no tier: Cumulus needs 0.5 cores" in small["error"]["message"]
    poor = flux.json("node", "register", "--location", "EU/FR", "--stake", "10", code=1)
    assert "10 FLUX reach no tier" in poor["error"]["message"]


def test_another_operators_node_cannot_be_changed(flux: Any) -> None:
    error = flux.json("node", "offer", "1", "--price-cpu", "1", code=3)["error"]
    assert (error["kind"], error["hint"]) == ("Unauthorized", "sign with --account dev1")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("node", "show", "one"), "a node is named by its number"),
        (("node", "offer", "1"), "no price was given"),
        (("node", "commission", "1", "a lot"), "a commission is a percentage"),
        (("node", "commission", "1", "1.x"), "a commission is a percentage"),
        (("node", "delegate", "1", "all"), "expected an amount of FLUX"),
        (("node", "offer", "1", "--price-cpu", "0.0000000001"), "at most 9 decimals"),
        (("node", "start", "--listen", "nowhere"), "--listen takes HOST:PORT"),
        (("node", "start", "--ports", "10-5"), "--ports takes FIRST-LAST"),
        (("chain", "block", "first"), "a block is a number"),
        (("chain", "params", "nothing"), "there is no part nothing"),
        (("wallet", "send", "dev1", "much"), "expected an amount of FLUX"),
        (("wallet", "send", "0x12", "1"), "expected an address"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(flux: Any, arguments: tuple[str, ...], sentence: str) -> None:
    flux.ok("node", "init")
    result = flux.run(*arguments)
    assert result.exit_code == 2, result.output
    assert sentence in result.output
    assert "Traceback" not in result.output


def test_a_place_is_continent_and_country(flux: Any) -> None:
    flux.ok("node", "init")
    for place in ("France", "XX/FR", "EU/FRA", "EU/FR/IDF/75"):
        assert flux.run("node", "register", "--location", place).exit_code == 2


def test_a_node_that_is_not_initialised_is_told_what_to_do(flux: Any) -> None:
    error = flux.json("node", "register", "--location", "EU/FR", code=1)["error"]
    assert "flux node init" in error["message"]
    assert "flux node init" in flux.json("node", "start", code=1)["error"]["message"]


def test_flux_is_sent_and_the_transaction_can_be_looked_up(flux: Any) -> None:
    before = flux.json("wallet", "balance", "dev6")["balance"]
    sent = flux.json("wallet", "send", "dev6", "1.25", "--account", "dev5")
    after = flux.json("wallet", "balance", "dev6")["balance"]
    assert float(after) - float(before) == 1.25
    found = flux.json("chain", "tx", sent["transaction"])
    assert found["does"].startswith("sends 1.25 FLUX to")
    assert "sends 1.25 FLUX" in flux.ok("chain", "tx", sent["transaction"])
    assert f"block {sent['block']}" in flux.ok("chain", "block", str(sent["block"]))
    assert (
        flux.json("chain", "tx", "0x" + "11" * 32, code=1)["error"]["message"] == "this chain knows no such transaction"
    )


def test_a_block_lists_what_its_transactions_do(flux: Any) -> None:
    number = flux.json("wallet", "send", "dev6", "1")["block"]
    by_number = flux.json("chain", "block", str(number))
    assert flux.json("chain", "block", by_number["hash"]) == by_number
    assert "the protocol's own work" in flux.ok("chain", "block", str(number))
    assert flux.run("chain", "block", "999999").exit_code == 1


def test_more_than_one_has_is_refused_by_the_chain(flux: Any) -> None:
    error = flux.json("wallet", "send", "dev1", "5000000", code=3)["error"]
    assert "flux wallet balance" in error["hint"]


def test_the_chain_shows_its_state_and_parameters(flux: Any) -> None:
    status = flux.json("chain", "status")
    assert (status["chain_id"], status["engine"], status["healthy"]) == (19169, "solo", True)
    assert "chain id" in flux.ok("chain", "status")
    params = flux.json("chain", "params", "escrow")
    assert params["escrow"]["minRuntime"] == 60
    assert "minRuntime" in flux.ok("chain", "params", "escrow")


def test_the_status_shows_nodes_and_apps(flux: Any) -> None:
    status = flux.json("status")
    assert status["cloud"] is None
    assert len(status["chain"]["nodes"]) >= 5
    assert "active" in flux.ok("status")


def test_options_before_the_command_count_where_it_has_none(flux: Any) -> None:
    result = flux.run("--json", "--account", "dev4", "wallet", "balance")
    assert json.loads(result.stdout)["address"] == flux.json("wallet", "balance", "dev4")["address"]
    inner = flux.run("--json", "--account", "dev4", "wallet", "balance", "--account", "dev3")
    assert json.loads(inner.stdout)["address"] == flux.json("wallet", "balance", "dev3")["address"]
