"""Sizes, parts of processors, durations, and amounts of FLUX."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.primitives import geo
from flux.specs.placement import MaxPrice, check_geo_rules, parse_amount, parse_max_price
from flux.specs.quantities import QuantityError, parse_cpu_milli, parse_duration_ms, parse_size_mib, parse_volume_mib


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("512m", 512),
        ("512M", 512),
        ("512mb", 512),
        ("512MiB", 512),
        ("1.5g", 1536),
        ("2 GiB", 2048),
        ("1t", 1024 * 1024),
        ("1048576", 1),
        ("1048577b", 2),
        ("1k", 1),
        ("0", 0),
        ("0.1m", 1),
    ],
)
def test_a_size_is_read_in_powers_of_1024_and_rounded_up(text: str, mib: int) -> None:
    assert parse_size_mib(text) == mib


@pytest.mark.parametrize("text", ["", "m", "-1m", "1e3m", "1.m", "1,5g", "1 x", "1ib", "１m", "9" * 30, "9" * 18 + "t"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_size_mib(text)


def test_a_volume_of_a_few_bytes_is_a_unit_that_was_forgotten() -> None:
    with pytest.raises(QuantityError, match="such as 20GiB"):
        parse_volume_mib("20")
    assert [parse_volume_mib(text) for text in ("0", "20m", "1k", "1048576")] == [0, 20, 1, 1]


@pytest.mark.parametrize(("text", "milli"), [("0.5", 500), (".25", 250), ("2", 2000), ("0.0001", 1), ("1.0", 1000)])
def test_cores_are_thousandths_rounded_up(text: str, milli: int) -> None:
    assert parse_cpu_milli(text) == milli


@pytest.mark.parametrize("text", ["", ".", "1.", "half", "-1", "1e3", "999999999", "99999999.0"])
def test_what_is_no_number_of_cores_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_cpu_milli(text)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("30s", 30_000), ("1m30s", 90_000), ("1h0m1s", 3_601_000), ("500ms", 500), ("1.5s", 1500), ("1us", 1), ("0", 0)],
)
def test_durations_are_milliseconds_rounded_up(text: str, milliseconds: int) -> None:
    assert parse_duration_ms(text) == milliseconds


@pytest.mark.parametrize("text", ["", "30", "s", "1m 30s", "-1s", "often", "9999999999h", "1d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_duration_ms(text)


@given(st.text(max_size=20))
def test_no_text_raises_anything_else(text: str) -> None:
    for parse in (parse_size_mib, parse_cpu_milli, parse_duration_ms, parse_amount):
        with contextlib.suppress(QuantityError):
            assert parse(text) >= 0
    with contextlib.suppress(QuantityError):
        assert max(parse_max_price(text)) > 0


@given(st.integers(1, 10**9))
def test_a_whole_number_of_mib_is_exact(mib: int) -> None:
    assert parse_size_mib(f"{mib}m") == mib


def test_prices_are_gwei_per_hour() -> None:
    assert parse_max_price("0.05") == MaxPrice(gwei=50_000_000)
    assert parse_max_price("2 FLUX") == MaxPrice(gwei=2 * 10**9)
    assert parse_max_price(" $0.05") == MaxPrice(nanousd=50_000_000)
    assert parse_amount("12.5") == 125 * 10**17


@pytest.mark.parametrize("text", ["0", "0.0000000001", "99999999999", "free", "1e3"])
def test_a_price_that_no_node_could_meet_or_no_chain_could_hold_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_max_price(text)


def test_older_pairs_of_rules_keep_their_meaning() -> None:
    assert check_geo_rules(["aEU", "bFR"]) == ("acEU_FR",)
    assert check_geo_rules(["bFR"]) == ("bFR",)
    assert check_geo_rules(["aEU", "bFR", "a!cEU_FR_Brittany"]) == ("acEU_FR", "a!cEU_FR_Brittany")
    assert check_geo_rules(["acEU", "acEU"]) == ("acEU",)
    with pytest.raises(geo.GeoError, match="at most 10"):
        check_geo_rules(["acEU"] * 11)
