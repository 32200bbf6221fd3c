import json
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.primitives.nesting import MAX_DEPTH, is_too_deep

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a"\\[]{}é'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='b"\\[]{}'), inner, max_size=4),
    max_leaves=40,
)


def wrapped(value: object, depth: int) -> object:
    for level in range(depth):
        value = [value] if level % 2 else {"[": value}
    return value


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(values, st.integers(MAX_DEPTH - 8, MAX_DEPTH + 8), st.booleans())
def test_only_real_nesting_counts_whatever_strings_hold(value: object, depth: int, plain: bool) -> None:
    nested = wrapped(value, depth)
    body = json.dumps(nested, ensure_ascii=plain).encode()
    real = depth_of(nested)
    if real <= MAX_DEPTH:
        assert not is_too_deep(body)
    elif real > MAX_DEPTH + 2:
        assert is_too_deep(body)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":[', b'["[",', b'["\\"",'])
def test_a_body_of_openings_is_too_deep(opening: bytes) -> None:
    assert is_too_deep(opening * 100_000)


@pytest.mark.parametrize("body", [b"[]" * 2_500_000, b"[[[]]]" * 800_000, b'"[' * 2_000_000, b'"\\' * 2_000_000])
def test_the_largest_bodies_are_judged_quickly(body: bytes) -> None:
    begun = perf_counter()
    is_too_deep(body)
    assert perf_counter() - begun < 3
