"""Rewards and the reckoning on the command line, on a real chain in memory whose epochs the test ends."""

from typing import Any

import pytest

from flux.cli.node.reckoning import Costs, Income, reckon
from flux.primitives.types import WEI_PER_FLUX


def test_a_reckoning_takes_costs_off_and_divides_by_what_was_put_in() -> None:
    income = Income(10 * WEI_PER_FLUX, commission=0.1, own_part=0.5, tenants=WEI_PER_FLUX)
    found = reckon(income, Costs(0.5, 1_000, 0.1, 730, 2), 1_000 * WEI_PER_FLUX)
    days = {line.key: line.day for line in found.lines}
    assert days["emission"] == pytest.approx(10 * 0.55 * 0.5)
    assert days["tenants"] == pytest.approx(0.5)
    assert (days["electricity"], days["hardware"]) == (pytest.approx(-2.4), pytest.approx(-1.0))
    assert days["left"] == pytest.approx(2.75 + 0.5 - 2.4 - 1.0)
    assert found.invested == pytest.approx(1_230)
    assert found.yearly_return == pytest.approx(days["left"] * 365 / 1_230)


def test_nothing_put_in_returns_nothing() -> None:
    assert reckon(Income(0, 0.0, 1.0, 0), Costs(1, 0, 0, 0, 4), 0).yearly_return == 0


def test_rewards_list_the_nodes_of_an_account_and_claims_of_nothing_are_refused(flux: Any) -> None:
    shown = flux.json("node", "rewards", "dev1")
    assert [item["node"] for item in shown["nodes"]] == [1]
    assert shown["nodes"][0]["claimable"] == "0"
    assert "Minted 0 FLUX" in flux.ok("node", "rewards", "dev1")
    assert "No stake" in flux.ok("node", "rewards", "dev9")
    error = flux.json("node", "claim", "1", "--account", "dev1", code=3)["error"]
    assert (error["kind"], "one epoch after" in error["hint"]) == ("NothingToClaim", True)
    assert flux.json("node", "compound", "1", "--account", "dev1", code=3)["error"]["kind"] == "NothingToClaim"
    assert flux.json("node", "claim", "all", "--account", "dev1") == []
    assert "Nothing has been earned" in flux.ok("node", "compound", "all", "--account", "dev1")


def test_the_return_of_a_node_says_what_it_assumes(flux: Any) -> None:
    found = flux.json("node", "roi", "1", "--price-flux", "0.5", "--power", "100", "--price-power", "0.3",
                      "--hardware", "1000", "--years", "5")  # fmt: skip
    assert found["per_day_usd"]["electricity"] == pytest.approx(-0.72)
    assert found["per_day_usd"]["hardware"] == pytest.approx(-1_000 / 5 / 365, abs=1e-6)
    assert found["yearly_return"] < 0
    assert any("no epoch with this tier has been settled" in line for line in found["assumptions"])
    assert "Assumed: one FLUX is worth 0.5 USD" in flux.ok("node", "roi", "1", "--price-flux", "0.5")
    assert flux.run("node", "roi", "1").exit_code == 2
