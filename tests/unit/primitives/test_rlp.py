"""RLP against the `rlp` package, and strictness."""

from typing import Any

import pytest
import rlp as reference
from hypothesis import example, given
from hypothesis import strategies as st

from flux.primitives.rlp import (
    MAX_DEPTH,
    Rlp,
    RlpError,
    decode,
    decode_flat,
    decode_int,
    encode,
    encode_int,
    list_prefix,
)

items: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.binary(max_size=3), st.binary(min_size=50, max_size=70), st.binary(min_size=250, max_size=300)),
    lambda children: st.lists(children, max_size=6),
    max_leaves=20,
)


def as_lists(value: Any) -> Rlp:
    return bytes(value) if isinstance(value, bytes) else [as_lists(item) for item in value]


@given(items)
@example([b""] * 60)
@example([[b"x" * 60] * 30] * 3)
@example(b"x" * 70_000)
def test_encoding_is_the_reference_encoding_and_decodes_to_the_value(item: Any) -> None:
    encoded = encode(item)
    assert encoded == reference.encode(item)
    assert decode(encoded) == item


def test_tuples_encode_like_lists() -> None:
    assert encode((b"a", (b"b",))) == encode([b"a", [b"b"]])


@given(st.binary(max_size=60))
def test_whatever_decodes_is_canonical_and_the_reference_agrees(data: bytes) -> None:
    try:
        value = decode(data)
    except RlpError:
        with pytest.raises(reference.exceptions.DecodingError):
            reference.decode(data, strict=True)
        return
    assert encode(value) == data
    assert as_lists(reference.decode(data)) == value


@given(items, st.data())
def test_every_cut_of_an_encoding_is_refused(item: Any, data: st.DataObject) -> None:
    encoded = encode(item)
    with pytest.raises(RlpError):
        decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("", "empty input"),
        ("8100", "must stand for itself"),
        ("817f", "must stand for itself"),
        ("c3817f80", "must stand for itself"),
        ("83aabb", "runs over its end by 1"),
        ("c483aabb", "runs over its end"),
        ("c281", "runs over its end"),
        ("b8", "size of the item at byte 0 is cut off"),
        ("b800", "starts with a zero byte"),
        ("b90038" + "00" * 56, "starts with a zero byte"),
        ("b837" + "00" * 55, "needs the short form"),
        ("f837" + "00" * 55, "needs the short form"),
        ("bf7fffffffffffffff", "runs over its end"),
        ("ffffffffffffffffff", "runs over its end"),
        ("8080", "1 bytes follow"),
        ("c0c0", "1 bytes follow"),
        ("c1c1", "runs over its end"),
    ],
)
def test_what_is_not_canonical_is_refused_with_a_sentence(data: str, sentence: str) -> None:
    with pytest.raises(RlpError, match=sentence):
        decode(bytes.fromhex(data))


def nested(depth: int) -> bytes:
    data = b"\xc0"
    for _ in range(depth - 1):
        data = list_prefix(len(data)) + data
    return data


def test_nesting_is_limited_both_ways() -> None:
    assert encode(decode(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(RlpError, match="nested deeper"):
        decode(nested(MAX_DEPTH + 1))
    with pytest.raises(RlpError, match="nested deeper"):
        decode(nested(100_000))
    value: list[Any] = []
    for _ in range(MAX_DEPTH):
        value = [value]
    with pytest.raises(RlpError, match="nested deeper"):
        encode(value)


@pytest.mark.parametrize("value", ["text", 1, None, {b"a": b"b"}, [1], ["text"], [b"a", [None]]])
def test_other_types_are_refused(value: Any) -> None:
    with pytest.raises(RlpError, match="RLP encodes bytes, lists and tuples"):
        encode(value)


@given(st.integers(0, 2**270))
def test_integers_have_no_leading_zeros_and_come_back(number: int) -> None:
    data = encode_int(number)
    assert data[:1] != b"\x00"
    assert encode(data) == reference.encode(number)
    assert decode_int(data) == number


def test_odd_integers_are_refused() -> None:
    with pytest.raises(RlpError, match="zero byte"):
        decode_int(b"\x00")
    with pytest.raises(RlpError, match="zero byte"):
        decode_int(b"\x00\x01")
    with pytest.raises(RlpError, match="negative"):
        encode_int(-1)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 255, 256, 1023, 1024, 1025, 65_535, 65_536])
def test_the_prefix_of_a_list_fits_its_payload(size: int) -> None:
    assert list_prefix(size) + bytes(size) == reference.encode([b"\x00"] * size)


def test_a_flat_list_holds_strings_only() -> None:
    assert decode_flat(encode([b"a", b"", b"x" * 60])) == [b"a", b"", b"x" * 60]
    with pytest.raises(RlpError, match="item 1 is a list"):
        decode_flat(encode([b"a", []]))
    with pytest.raises(RlpError, match="expected an RLP list"):
        decode_flat(encode(b"text"))
