"""Every number is governed or fixed, and what the bounds allow agrees with itself."""

from contextlib import suppress

import pytest

from flux.contracts.parameters.types import ParameterOutOfBounds, ParametersDisagree, UnknownParameter
from flux.primitives.types import U256
from flux.protocol import bounds
from flux.protocol.overrides import ParameterRules, apply, leaves, pattern
from flux.protocol.params import DEFAULT, Params, minimal

RULES = ParameterRules(DEFAULT)


def refusal(path: str, value: int, overrides: dict[str, U256] | None = None) -> Exception:
    with pytest.raises((UnknownParameter, ParameterOutOfBounds, ParametersDisagree)) as raised:
        RULES.check(path, U256(value), overrides or {})
    return raised.value


@pytest.mark.parametrize("path", sorted({pattern(path) for path, _ in leaves(DEFAULT)}))
def test_every_number_has_bounds_or_a_reason_to_have_none(path: str) -> None:
    assert (path in bounds.BOUNDS) != (path in bounds.FIXED), (
        f"{path}: give it a line in protocol/bounds.py, in BOUNDS or with a reason in FIXED"
    )


def test_nothing_is_bounded_that_does_not_exist() -> None:
    known = {pattern(path) for path, _ in leaves(DEFAULT)}
    assert [path for path in (*bounds.BOUNDS, *bounds.FIXED) if path not in known] == []


@pytest.mark.parametrize("params", [DEFAULT, minimal()])
def test_what_chains_begin_with_lies_in_bounds_and_agrees(params: Params) -> None:
    for path, value in leaves(params):
        bound = bounds.BOUNDS.get(pattern(path))
        assert bound is None or bound.lowest <= value <= bound.highest, path
    assert list(bounds.disagreements(params)) == []


def test_a_number_may_be_moved_to_either_bound_unless_others_disagree() -> None:
    moved = 0
    for parameter in RULES.all({}):
        for value in (parameter.lowest, parameter.highest):
            with suppress(ParametersDisagree):
                assert RULES.check(parameter.path, value, {}) == parameter
                moved += 1
    assert moved > len(bounds.BOUNDS)


def test_a_step_outside_the_bounds_is_refused_by_name() -> None:
    lowest, highest = bounds.BOUNDS["market.exclusion"][:2]
    for value in (lowest - 1, highest + 1, 2**256 - 1, 0):
        error = refusal("market.exclusion", value)
        assert isinstance(error, ParameterOutOfBounds)
        assert error.value == value
        assert (error.lowest, error.highest) == (lowest, highest)


@pytest.mark.parametrize(
    "path",
    ["", "market", "market.", "market.nothing", "accounts.cap", "nodes.tiers.0.stake", "nodes.tiers.9.stake", "*"],
)
def test_a_path_that_names_no_governed_number_is_unknown(path: str) -> None:
    assert isinstance(refusal(path, 1), UnknownParameter)


def test_a_number_that_state_was_built_on_only_rises() -> None:
    now = DEFAULT.market.max_leases_per_node
    error = refusal("market.max_leases_per_node", now - 1)
    assert isinstance(error, ParameterOutOfBounds)
    assert error.lowest == now
    assert RULES.check("market.max_leases_per_node", U256(now + 1), {}).value == now
    raised = {"market.max_leases_per_node": U256(now + 1)}
    assert isinstance(refusal("market.max_leases_per_node", now, raised), ParameterOutOfBounds)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("chain.max_block_bytes", 512 * 1024),
        ("apps.max_spec_bytes", 256 * 1024),
        ("chain.gas_stored_byte", 1_000),
        ("chain.call_gas_limit", 50_000_000),
        ("probes.second_committee", 5),
        ("probes.epoch", 30),
        ("escrow.settlement_lag", 30),
        ("escrow.min_placement", 3_600),
    ],
)
def test_numbers_that_contradict_each_other_are_refused_with_the_reason(path: str, value: int) -> None:
    overrides = {
        "chain.max_transaction_bytes": U256(1024 * 1024),
        "chain.block_gas_limit": U256(100_000_000),
        "probes.committee": U256(7),
        "probes.vote_window": U256(31),
        "escrow.min_runtime": U256(60),
        "escrow.settlement_lag": U256(60),
    }
    if path == "apps.max_spec_bytes":
        overrides = {}
    if path == "chain.call_gas_limit":
        overrides = {"chain.block_gas_limit": U256(1_000_000_000)}
    error = refusal(path, value, overrides)
    assert isinstance(error, ParametersDisagree)
    assert (error.path, error.value) == (path, value)
    assert error.reason


def test_overrides_take_the_place_of_numbers_wherever_they_are() -> None:
    changed = apply(
        DEFAULT, {"nodes.max_ask.gpu": U256(5), "nodes.tiers.1.stake": U256(7), "market.exclusion": U256(61)}
    )
    assert changed.nodes.max_ask == DEFAULT.nodes.max_ask.but(gpu=5)
    assert [tier.stake for tier in changed.nodes.tiers] == [10**21, 7, 4 * 10**22]
    assert changed.market == DEFAULT.market.but(exclusion=61)
    assert apply(DEFAULT, {}) is DEFAULT
