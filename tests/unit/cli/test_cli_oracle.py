"""`flux oracle` against a real chain: a vote admits feeders, they report from where prices are, and the price shows."""

from pathlib import Path
from typing import Any

import pytest

from flux.cli.errors import CliError, UsageError
from flux.cli.oracle.prices import dollars, parse, pick
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
