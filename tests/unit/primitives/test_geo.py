"""Geolocation rules: what parses, what is refused, and who may run where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.primitives.geo import CONTINENTS, GeoError, GeoRule, allows, parse


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("acEU", GeoRule(False, "EU", "", "")),
        ("acEU_FR", GeoRule(False, "EU", "FR", "")),
        ("acEU_FR_Brittany", GeoRule(False, "EU", "FR", "Brittany")),
        ("acEU_CZ_Hlavni mesto_Praha", GeoRule(False, "EU", "CZ", "Hlavni mesto_Praha")),
        ("acALL", GeoRule(False, "", "", "")),
        ("acEU_ALL", GeoRule(False, "EU", "", "")),
        ("acEU_FR_ALL", GeoRule(False, "EU", "FR", "")),
        ("a!cEU", GeoRule(True, "EU", "", "")),
        ("a!cEU_CZ", GeoRule(True, "EU", "CZ", "")),
        ("a!cEU_CZ_Prague", GeoRule(True, "EU", "CZ", "Prague")),
        ("a!cEU_ALL", GeoRule(True, "EU", "", "")),
        ("aEU", GeoRule(False, "EU", "", "")),
        ("bFR", GeoRule(False, "", "FR", "")),
    ],
)
def test_a_rule_is_read_as_written(text: str, rule: GeoRule) -> None:
    assert parse(text) == rule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a geolocation rule"),
        ("EU", "is not a geolocation rule"),
        ("ac", "is not a continent"),
        ("aceu", "is not a continent"),
        ("acXX", "is not a continent"),
        ("acEU_", "is not a country"),
        ("acEU_fr", "is not a country"),
        ("acEU_FRA", "is not a country"),
        ("acEU_FR_", "does not name a region"),
        ("acEU_FR_ ", "does not name a region"),
        ("acEU_FR_a\nb", "does not name a region"),
        ("acALL_FR", "nothing may follow ALL"),
        ("acEU_ALL_Brittany", "nothing may follow ALL"),
        ("a!cALL", "denies every place"),
        ("aFR", "is not a continent"),
        ("bEUR", "is not a country"),
        ("acEU_FR_" + "x" * 50, "at most 50 characters"),
    ],
)
def test_a_text_that_is_no_rule_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(GeoError, match=words):
        parse(text)


def test_a_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(GeoError, match="got int"):
        parse(7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rules", "place", "expected"),
    [
        ((), ("EU", "FR", ""), True),
        (("acEU",), ("EU", "FR", "Brittany"), True),
        (("acEU",), ("NA", "US", ""), False),
        (("acEU_FR", "acNA"), ("NA", "US", "Texas"), True),
        (("acEU_FR", "acNA"), ("EU", "DE", ""), False),
        (("acEU", "a!cEU_CZ"), ("EU", "CZ", ""), False),
        (("a!cEU_CZ", "acEU_CZ_Prague"), ("EU", "CZ", "Prague"), False),
        (("a!cEU_CZ_Prague", "acEU_CZ"), ("EU", "CZ", "Brno"), True),
        (("a!cEU",), ("AS", "JP", ""), True),
        (("a!cEU",), ("EU", "DE", ""), False),
        (("acEU_FR_brittany",), ("EU", "FR", "Brittany"), True),
        (("acEU_FR_Brittany",), ("EU", "FR", ""), False),
        (("acALL",), ("OC", "NZ", ""), True),
        (("aEU",), ("EU", "PL", ""), True),
        (("bFR",), ("EU", "FR", ""), True),
        (("bFR",), ("EU", "PL", ""), False),
        (("acALL", "a!cAS"), ("AS", "IN", ""), False),
    ],
)
def test_a_matching_deny_rejects_and_allows_are_alternatives(
    rules: tuple[str, ...], place: tuple[str, str, str], expected: bool
) -> None:
    assert allows([parse(rule) for rule in rules], *place) is expected


_places = st.tuples(st.sampled_from(CONTINENTS), st.sampled_from(["FR", "CZ", "US"]), st.sampled_from(["", "A", "B"]))
_texts = st.builds(
    lambda sign, continent, country, region: sign + "_".join(part for part in (continent, country, region) if part),
    st.sampled_from(["ac", "a!c"]),
    st.sampled_from(CONTINENTS),
    st.sampled_from(["FR", "CZ", "ALL"]),
    st.just(""),
)


@given(st.lists(_texts, max_size=6), _places, st.randoms(use_true_random=False))
def test_the_order_of_the_rules_does_not_matter(texts: list[str], place: tuple[str, str, str], random: object) -> None:
    rules = [parse(text) for text in texts]
    shuffled = list(rules)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert allows(rules, *place) == allows(shuffled, *place)


@given(st.text(max_size=60))
def test_any_text_either_parses_or_is_refused_with_a_typed_error(text: str) -> None:
    try:
        rule = parse(text)
    except GeoError:
        return
    assert rule.continent in ("", *CONTINENTS)
