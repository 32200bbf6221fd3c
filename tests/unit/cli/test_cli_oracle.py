"""`flux oracle` against a real chain: a vote admits feeders, they report from where prices are, and the price shows."""

from pathlib import Path
from typing import Any

import pytest

from flux.cli.dollars import dollars, parse, worth
from flux.cli.errors import CliError, UsageError
from flux.cli.oracle.prices import pick
from flux.contracts.oracle.types import Price, UsdPrice
from flux.primitives.types import U64, ChainTime
from support.voting import propose, wait_for


def test_prices_are_read_and_written_as_people_do() -> None:
    assert [dollars(parse(text)) for text in ("0.052", " 12\n", "1e-8", "0.1234567891")] == [
        "0.052", "12", "0.00000001", "0.12345679",
    ]  # fmt: skip
    assert pick('{"data": [{"price": 0.05}]}', "data.0.price") == 5_000_000
    for text in ("", "free", "-1", "nan", "1e30", "inf"):
        with pytest.raises(UsageError):
            parse(text)
    for text in ("{}", "[1]", "no json", '{"data": 1}'):
        with pytest.raises(CliError):
            pick(text, "data.price")


def test_feeders_that_a_vote_admitted_make_the_price(flux: Any, tmp_path: Path) -> None:
    assert flux.json("oracle", "show") == {
        "usd_per_flux": None, "updated_at": None, "age_seconds": None, "frozen": True, "feeders": [],
    }  # fmt: skip
    error = flux.json("plan", flux.compose(COMPOSE), "--max-price", "$1", code=3)["error"]
    assert error["kind"] == "NoPrice"
    error = flux.json("oracle", "feed", "--price", "0.05", "--account", "dev6", code=3)["error"]
    assert "no feeder" in error["message"]
    assert flux.json("oracle", "join", "--account", "dev6", code=3)["error"]["kind"] == "NotFeeder"
    flux.ok("dao", "lock", "20000")
    feeders = ("dev6", "dev7", "dev8")
    options = [word for feeder in feeders for word in ("--feeder", feeder)]
    number = propose(flux, "Feeders", *options)["number"]
    wait_for(flux, number, "active")
    flux.ok("dao", "vote", str(number), "for")
    wait_for(flux, number, "executed", step=10)
    for feeder in feeders:
        assert flux.json("oracle", "join", "--account", feeder)["bond"] == "100"
    file = tmp_path / "price.json"
    file.write_text('{"flux": {"usd": 0.051}}')
    assert flux.json("oracle", "feed", "--price", "0.05", "--account", "dev6")["usd_per_flux"] == "0.05"
    flux.ok("oracle", "feed", "--from", str(file), "--field", "flux.usd", "--account", "dev7")
    flux.ok("oracle", "feed", "--price", "0.052", "--account", "dev8")
    shown = flux.json("oracle", "show")
    assert (shown["usd_per_flux"], shown["frozen"]) == ("0.051", False)
    assert [item["counts"] for item in shown["feeders"]] == [True] * 3
    assert "1 FLUX is 0.051 USD" in flux.ok("oracle", "show")
    prices_in_dollars(flux)
    flux.ok("oracle", "leave", "--account", "dev8")
    assert flux.json("oracle", "show")["frozen"]
    assert "frozen" in flux.ok("oracle", "show")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("oracle", "feed"), "either --price or --from"),
        (("oracle", "feed", "--price", "1", "--from", "x"), "either --price or --from"),
        (("oracle", "feed", "--price", "much"), "no price in dollars"),
    ],
)
def test_a_feeder_that_is_told_nonsense_says_so(flux: Any, arguments: tuple[str, ...], words: str) -> None:
    assert words in flux.json(*arguments, code=2)["error"]["message"]


@pytest.mark.parametrize("source", ["/nonexistent/price", "http://127.0.0.1:1/"])
def test_a_source_that_is_not_there_is_an_error_of_its_own(flux: Any, source: str) -> None:
    assert source in flux.json("oracle", "feed", "--from", source, code=1)["error"]["message"]


COMPOSE = """
services:
  web:
    image: ${REGISTRY}/test/web:1
    deploy: {resources: {limits: {cpus: "0.5", memory: 128M}}}
"""


def prices_in_dollars(flux: Any) -> None:
    """At 0.051 dollars a FLUX: a plan shows both, prices are given in either."""
    planned = flux.json("plan", flux.compose(COMPOSE), "--max-price", "$1")
    assert planned["usd_per_flux"] == "0.051"
    month = float(planned["price_per_month"]) * 0.051
    assert abs(float(planned["price_per_month_usd"]) - month) < 0.01 * month + 0.01
    assert "$" in flux.ok("plan", flux.compose(COMPOSE))
    first = planned["nodes"][0]
    assert first["bill"] == "usd"
    assert abs(float(first["price_per_hour_usd"]) - float(first["price_per_hour"]) * 0.051) < 1e-4
    cheap = flux.json("plan", flux.compose(COMPOSE), "--max-price", "$0.000001", code=1)
    assert not cheap["enough_nodes"]
    prices = ("--price-cpu", "$0.00051", "--price-memory", "$0.000051", "--price-disk", "$0", "--price-gpu", "$0.051")
    offered = flux.json("node", "offer", "2", *prices, "--account", "dev2")
    assert offered["prices"] == {
        "currency": "usd", "core": "0.00051", "memory_gib": "0.000051", "disk_gib": "0", "gpu": "0.051",
    }  # fmt: skip
    assert "$0.00051 a core" in flux.ok("node", "show", "2")
    verdicts = {item["node"]: item for item in flux.json("plan", flux.compose(COMPOSE))["nodes"]}
    assert (verdicts[1]["bill"], verdicts[2]["bill"]) == ("flux", "usd")
    half_a_core = 0.5 * 0.01 + 0.125 * 0.001
    assert abs(float(verdicts[2]["price_per_hour"]) - half_a_core) < 1e-6
    error = flux.json("node", "offer", "1", "--price-cpu", "$1", "--account", "dev1", code=2)["error"]
    assert "in FLUX or in dollars" in error["message"]
    assert "--max-price" in flux.json("plan", flux.compose(COMPOSE), "--max-price", "$much", code=2)["error"]["message"]


def test_amounts_in_dollars_have_three_digits_or_cents() -> None:
    price = Price(UsdPrice(U64(5_000_000)), ChainTime(U64(1)), False)
    assert [worth(wei, price) for wei in (10**18, 10**20, 10**15, 0)] == ["$0.05", "$5.00", "$0.00005", "$0"]
    assert worth(10**18, None) == ""
