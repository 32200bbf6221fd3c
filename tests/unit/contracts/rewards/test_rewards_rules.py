"""The emission schedule is the closed form, never passes the pool, and every division is in the pool's favour."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.contracts.probes.types import Epoch
from flux.contracts.rewards import rules
from flux.contracts.rewards.types import PPM, OpenEpoch
from flux.primitives.types import U64, U256, Seconds, Wei
from flux.primitives.units import parse_flux
from flux.protocol.params import CAP, USER_POOL

ECONOMICS = Path(__file__).parents[4] / "docs" / "economics.md"
times = st.integers(0, 300 * rules.YEAR)


@pytest.mark.parametrize("year", range(200))
def test_at_the_end_of_each_year_the_budget_is_the_closed_form(year: int) -> None:
    exact = USER_POOL * (1 - Fraction(9, 10) ** year)
    assert rules.budget(USER_POOL, year * rules.YEAR) == exact.numerator // exact.denominator


@given(times, times)
def test_the_budget_never_falls_and_never_passes_the_pool(one: int, two: int) -> None:
    first, second = sorted((one, two))
    assert 0 <= rules.budget(USER_POOL, first) <= rules.budget(USER_POOL, second) <= USER_POOL


@given(st.integers(0, 60), st.integers(0, rules.YEAR), st.integers(0, rules.YEAR))
def test_inside_a_year_the_budget_is_linear(year: int, one: int, two: int) -> None:
    start = year * rules.YEAR
    base = rules.budget(USER_POOL, start)
    half = rules.budget(USER_POOL, start + (one + two) // 2) - base
    ends = rules.budget(USER_POOL, start + one) + rules.budget(USER_POOL, start + two) - 2 * base
    assert abs(2 * half - ends) <= USER_POOL // rules.YEAR


def test_the_table_in_the_documentation_is_the_schedule() -> None:
    rows = re.findall(r"^\| (\d+) \| ([\d,.]+) \| ([\d,.]+) \|", ECONOMICS.read_text(), flags=re.MULTILINE)
    assert len(rows) >= 20
    for year, during, in_all in rows:
        end = rules.by_year(USER_POOL, int(year))
        began = rules.by_year(USER_POOL, int(year) - 1)
        assert parse_flux(in_all.replace(",", "")) == end // 10**14 * 10**14
        assert parse_flux(during.replace(",", "")) == (end - began) // 10**14 * 10**14
    assert CAP == 440_000_000 * 10**18


@given(
    st.integers(0, 10**27),
    st.tuples(*[st.integers(0, 3_000 * PPM)] * 3),
    st.tuples(*[st.integers(0, 10**21)] * 3),
)
def test_an_epoch_never_pays_more_than_its_budget_nor_a_node_more_than_its_cap(
    budget: int, totals: tuple[int, ...], caps: tuple[int, ...]
) -> None:
    nodes = tuple(U64(-(-total // PPM)) for total in totals)
    sums = tuple(U64(total) for total in totals)
    open_ = OpenEpoch(Epoch(U64(1)), Seconds(U64(3_600)), Wei(U256(budget)), sums, nodes)
    rates = rules.rates(open_, (10, 35, 90), caps)
    assert rules.given(rates, totals) <= budget
    for rate, total, cap in zip(rates.wei_per_ppm, totals, caps, strict=True):
        assert rate * PPM <= cap
        assert total or not rate


@given(st.lists(st.tuples(st.integers(0, 10**24), st.integers(1, 10**26)), max_size=20))
def test_shares_never_earn_more_than_was_paid_and_lose_less_than_a_wei_each_time(steps: list[tuple[int, int]]) -> None:
    remainder, paid, earned = 0, 0, 0
    for amount, shares in steps:
        gained, remainder = rules.per_share(amount, remainder, shares)
        paid += amount
        earned += rules.accrued(shares, 0, gained)
        assert earned <= paid
        assert paid - earned <= sum(shares for _, shares in steps) // 2**rules.SCALE + len(steps)


@given(st.integers(0, 10**27), st.integers(0, 20 * rules.YEAR))
def test_what_was_not_earned_comes_back_slowly(unearned: int, duration: int) -> None:
    assert 0 <= rules.returned(unearned, duration) <= unearned
    assert rules.returned(unearned, rules.YEAR) == unearned // 10


@given(st.integers(0, 10**27), st.lists(st.integers(0, 10**6), max_size=8))
def test_a_split_gives_no_more_than_there_is(amount: int, weights: list[int]) -> None:
    assert sum(rules.split(amount, weights)) <= amount


def test_a_full_year_pays_a_node_its_stake_at_most() -> None:
    stake = 40_000 * 10**18
    assert rules.yearly_cap(stake, 10_000, rules.YEAR) == stake
    assert sum(rules.yearly_cap(stake, 10_000, 3_600) for _ in range(24 * 365)) <= stake
    assert rules.per_day(10, Seconds(U64(0))) == 0
