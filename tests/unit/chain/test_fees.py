from math import exp

from hypothesis import given
from hypothesis import strategies as st

from flux.chain.fees import MAX_EXPONENT, accumulated, base_fee, decayed, fake_exponential, starting_excess
from flux.primitives.types import U64, Gas, Seconds, Timestamp
from flux.protocol.bounds import BOUNDS
from support.transactions import PARAMS

TARGET = PARAMS.gas_target_per_second
LIMIT = PARAMS.base_fee_update_fraction * MAX_EXPONENT


def _gas(number: int) -> Gas:
    return Gas(U64(number))


def test_the_examples_of_eip_4844_hold() -> None:
    cases = [(1, 0, 1, 1), (38493, 0, 1000, 38493), (0, 1234, 2345, 0), (1, 2, 1, 6), (1, 4, 2, 6), (1, 3, 1, 16)]
    cases += [(1, 6, 2, 18), (1, 4, 1, 49), (1, 8, 2, 50), (10, 8, 2, 542), (11, 8, 2, 596), (1, 5, 1, 136)]
    cases += [(1, 5, 2, 11), (2, 5, 2, 23), (1, 50000000, 2225652, 5709098764)]
    for factor, numerator, denominator, expected in cases:
        assert fake_exponential(factor, numerator, denominator) == expected


@given(st.integers(0, 8 * PARAMS.base_fee_update_fraction))
def test_the_base_fee_is_an_exponential_of_the_excess(excess: int) -> None:
    expected = PARAMS.min_base_fee * exp(excess / PARAMS.base_fee_update_fraction)
    assert abs(base_fee(_gas(excess), PARAMS) - expected) <= 1 + expected * 1e-9


@given(st.integers(0, LIMIT), st.integers(0, LIMIT))
def test_more_excess_never_costs_less(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert PARAMS.min_base_fee <= base_fee(_gas(low), PARAMS) <= base_fee(_gas(high), PARAMS)


@given(st.integers(0, LIMIT))
def test_an_idle_chain_returns_to_the_minimum(excess: int) -> None:
    idle = Seconds(U64(-(-excess // TARGET)))
    assert base_fee(decayed(_gas(excess), idle, PARAMS), PARAMS) == PARAMS.min_base_fee


@given(st.lists(st.integers(0, PARAMS.block_gas_limit), max_size=40))
def test_how_a_second_is_cut_into_blocks_does_not_change_the_fee(blocks: list[int]) -> None:
    excess = _gas(TARGET * 50)
    for used in blocks:
        excess = accumulated(decayed(excess, Seconds(U64(0)), PARAMS), _gas(used), PARAMS)
    assert excess == min(TARGET * 50 + sum(blocks), LIMIT)


def test_use_at_the_target_keeps_the_fee() -> None:
    excess = _gas(TARGET * 9)
    for _ in range(100):
        excess = accumulated(decayed(excess, Seconds(U64(1)), PARAMS), TARGET, PARAMS)
    assert excess == TARGET * 9


def test_the_accumulator_is_bounded_so_that_the_series_stays_short() -> None:
    assert accumulated(_gas(LIMIT), _gas(2**63), PARAMS) == LIMIT
    assert base_fee(_gas(LIMIT), PARAMS) > 10**36


def test_a_smaller_update_fraction_does_not_lengthen_the_series_of_what_is_there() -> None:
    """Governance may change it by any factor that its bounds allow, on a chain that is busy."""
    bound = BOUNDS["chain.base_fee_update_fraction"]
    params = PARAMS.but(base_fee_update_fraction=U64(bound.lowest))
    left = accumulated(_gas(0), _gas(2**63), PARAMS.but(base_fee_update_fraction=U64(bound.highest)))
    start = starting_excess(left, Timestamp(U64(100)), Timestamp(U64(100)), params)
    assert start == bound.lowest * MAX_EXPONENT
    assert base_fee(start, params) < 2**256


def test_a_block_begins_with_what_its_parent_left_less_the_time_between_them() -> None:
    start = starting_excess(_gas(10 * TARGET), Timestamp(U64(100)), Timestamp(U64(103)), PARAMS)
    assert start == 7 * TARGET
