"""Logs blooms against the Yellow Paper's definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.primitives.bloom import BLOOM_SIZE, EMPTY_BLOOM, BloomError, bloom_of, may_contain, union
from flux.primitives.keccak import keccak256

logs = st.lists(
    st.tuples(st.binary(min_size=20, max_size=20), st.lists(st.binary(min_size=32, max_size=32), max_size=4))
)


def by_definition(values: list[bytes]) -> bytes:
    """M3:2048 of the Yellow Paper, as one big integer."""
    bits = 0
    for value in values:
        digest = keccak256(value)
        for start in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[start : start + 2], "big") % 2048)
    return bits.to_bytes(BLOOM_SIZE, "big")


@given(logs)
def test_the_filter_is_the_yellow_papers_and_holds_every_address_and_topic(
    entries: list[tuple[bytes, list[bytes]]],
) -> None:
    values = [value for address, topics in entries for value in (address, *topics)]
    bloom = bloom_of(entries)
    assert bloom == by_definition(values)
    assert all(may_contain(bloom, value) for value in values)


@given(logs, logs)
def test_the_union_is_the_filter_of_both(
    one: list[tuple[bytes, list[bytes]]], other: list[tuple[bytes, list[bytes]]]
) -> None:
    assert union([bloom_of(one), EMPTY_BLOOM, bloom_of(other)]) == bloom_of([*one, *other])


def test_a_filter_of_a_real_log_has_the_known_bits() -> None:
    transfer = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
    bloom = bloom_of([(bytes(20), [transfer])])
    assert sum(byte.bit_count() for byte in bloom) == 6
    assert not may_contain(bloom, b"\x01" * 20)


def test_no_logs_have_the_empty_filter() -> None:
    assert bloom_of([]) == union([]) == EMPTY_BLOOM
    assert not may_contain(EMPTY_BLOOM, b"anything")


def test_a_filter_of_another_size_is_refused() -> None:
    with pytest.raises(BloomError, match="256 bytes, got 3"):
        union([b"abc"])
    with pytest.raises(BloomError, match="256 bytes, got 0"):
        may_contain(b"", b"value")
