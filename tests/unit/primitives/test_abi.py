"""The ABI against eth_abi, and strictness of decoding."""

import re
from collections.abc import Sequence
from typing import Any

import eth_abi
import pytest
from eth_abi.exceptions import DecodingError
from eth_utils import function_signature_to_4byte_selector, to_canonical_address
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flux.primitives.abi import AbiError, codec, decode, encode, event_topic, selector

ELEMENTARY: dict[str, st.SearchStrategy[Any]] = {
    "uint8": st.integers(0, 2**8 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "uint256": st.integers(0, 2**256 - 1),
    "int8": st.integers(-(2**7), 2**7 - 1),
    "int256": st.integers(-(2**255), 2**255 - 1),
    "bool": st.booleans(),
    "address": st.binary(min_size=20, max_size=20),
    "bytes1": st.binary(min_size=1, max_size=1),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bytes": st.binary(max_size=70),
    "string": st.text(max_size=40),
}


def typed_values(depth: int = 2) -> st.SearchStrategy[tuple[str, Any]]:
    """A type and a value of it."""

    def of(kind: str) -> st.SearchStrategy[tuple[str, Any]]:
        return ELEMENTARY[kind].map(lambda value: (kind, value))

    leaf = st.sampled_from(sorted(ELEMENTARY)).flatmap(of)
    if depth == 0:
        return leaf
    inner = typed_values(depth - 1)
    structs = st.lists(inner, min_size=1, max_size=3).map(
        lambda members: (f"({','.join(kind for kind, _ in members)})", tuple(value for _, value in members))
    )
    arrays = st.tuples(inner, st.integers(0, 3)).map(lambda pair: (f"{pair[0][0]}[]", (pair[0][1],) * pair[1]))
    fixed = st.tuples(inner, st.integers(1, 3)).map(lambda pair: (f"{pair[0][0]}[{pair[1]}]", (pair[0][1],) * pair[1]))
    return st.one_of(leaf, structs, arrays, fixed)


def with_bytes_for_addresses(kind: str, value: Any) -> Any:
    """eth_abi gives addresses as text; ours are bytes."""
    if isinstance(value, tuple):
        return tuple(with_bytes_for_addresses(kind, item) for item in value)
    is_address = isinstance(value, str) and re.fullmatch("0x[0-9a-f]{40}", value) and "string" not in kind
    return to_canonical_address(value) if is_address else value


@settings(max_examples=200, deadline=None)
@given(st.lists(typed_values(), max_size=4))
def test_values_encode_as_eth_abi_encodes_them_and_come_back(pairs: list[tuple[str, Any]]) -> None:
    types, values = tuple(kind for kind, _ in pairs), tuple(value for _, value in pairs)
    encoded = encode(types, values)
    assert encoded == eth_abi.encode(types, values)
    assert decode(types, encoded) == values
    if not any("string" in kind for kind in types):
        theirs = tuple(
            with_bytes_for_addresses(kind, value)
            for kind, value in zip(types, eth_abi.decode(types, encoded), strict=True)
        )
        assert theirs == values


@settings(max_examples=200, deadline=None)
@given(st.lists(typed_values(), min_size=1, max_size=3), st.data())
def test_a_changed_byte_decodes_to_another_value_or_not_at_all(
    pairs: list[tuple[str, Any]], data: st.DataObject
) -> None:
    types, values = tuple(kind for kind, _ in pairs), tuple(value for _, value in pairs)
    encoded = encode(types, values)
    assume(encoded)
    position = data.draw(st.integers(0, len(encoded) - 1))
    flipped = bytearray(encoded)
    flipped[position] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode(types, bytes(flipped))
    except AbiError:
        return
    assert decoded != values
    assert encode(types, decoded) == flipped


HOSTILE_TYPES = [
    "uint8",
    "bool",
    "address",
    "bytes4",
    "string",
    "uint256[]",
    "bytes[][]",
    "(string,uint8)[]",
    "string[2]",
]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(HOSTILE_TYPES), max_size=3),
    st.lists(st.one_of(st.sampled_from([0, 1, 32, 64, 96, 2**255, 2**256 - 1]), st.integers(0, 300)), max_size=12),
    st.binary(max_size=3),
)
def test_hostile_bytes_get_a_typed_error_and_what_is_accepted_is_canonical(
    types: list[str], words: list[int], tail: bytes
) -> None:
    data = b"".join(word.to_bytes(32, "big") for word in words) + tail
    try:
        values = decode(types, data)
    except AbiError:
        return
    assert encode(types, values) == data


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint8", -1),
        ("uint8", True),
        ("uint8", "1"),
        ("uint8", 1.0),
        ("int8", 128),
        ("int8", -129),
        ("int8", False),
        ("bool", 1),
        ("bool", 0),
        ("bool", None),
        ("address", b"\x00" * 19),
        ("address", b"\x00" * 32),
        ("address", "0x" + "0" * 40),
        ("bytes4", b"abc"),
        ("bytes4", b"abcde"),
        ("bytes", "text"),
        ("string", b"bytes"),
        ("string", "\ud800"),
        ("uint8[]", 5),
        ("uint8[]", b"bytes"),
        ("uint8[]", [256]),
        ("uint8[2]", [1]),
        ("uint8[2]", [1, 2, 3]),
        ("(uint8,bool)", (1,)),
        ("(uint8,bool)", {"a": 1}),
        ("(string,bool)", ("a",)),
    ],
)
def test_a_value_outside_its_type_is_refused(kind: str, value: object) -> None:
    with pytest.raises(AbiError):
        encode([kind], [value])


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("uint8", "01" + "00" * 31),
        ("uint8", "00" * 30 + "0100"),
        ("int8", "00" * 31 + "80"),
        ("int8", "ff" * 31 + "7f"),
        ("bool", "00" * 31 + "02"),
        ("bool", "01" + "00" * 31),
        ("address", "00" * 11 + "01" + "00" * 20),
        ("bytes4", "61626364" + "00" * 27 + "01"),
    ],
)
def test_a_word_outside_its_type_is_refused_as_eth_abi_refuses_it(kind: str, word: str) -> None:
    with pytest.raises(AbiError, match="at byte 0"):
        decode([kind], bytes.fromhex(word))
    with pytest.raises(DecodingError):
        eth_abi.decode([kind], bytes.fromhex(word))


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in numbers)


@pytest.mark.parametrize(
    ("types", "data", "sentence"),
    [
        (["uint8"], b"", "needs 32 bytes, got 0"),
        (["uint8"], words(1, 2), "needs 32 bytes, got 64"),
        (["bytes"], words(32), "needs 32 bytes, 0 are left"),
        (["bytes"], words(64, 0, 0), "canonical layout"),
        (["bytes"], words(0), "canonical layout"),
        (["bytes"], words(32, 1), "needs 32 bytes, 0 are left"),
        (["bytes"], words(32, 2**256 - 1), "are left"),
        (["bytes"], words(32, 1, 1), "padding at byte 65 is not zero"),
        (["bytes"], words(32, 0, 0), "32 bytes follow the end"),
        (["string"], words(32, 1) + b"\xff" + bytes(31), "not UTF-8"),
        (["uint8[]"], words(32, 2, 1), "needs 64 bytes, 32 are left"),
        (["uint8[]"], words(32, 2**255), "are left"),
        (["bytes[]"], words(32, 2**255), "are left"),
        (["bytes[]"], words(32, 2, 64, 64, 0), "canonical layout"),
        (["bytes", "bytes"], words(64, 64, 0), "canonical layout"),
        (["(bytes,uint8)"], words(32, 64), "are left"),
        (["string[2]"], words(32, 64), "are left"),
    ],
)
def test_what_is_not_the_canonical_layout_is_refused_with_a_sentence(
    types: Sequence[str], data: bytes, sentence: str
) -> None:
    with pytest.raises(AbiError, match=re.escape(sentence)):
        decode(types, data)


NO_TYPES = [
    "uint",
    "uint7",
    "uint264",
    "uint0",
    "int",
    "bytes0",
    "bytes33",
    "address20",
    "string8",
    "bool8",
    "fixed128x18",
    "function",
    "hash32",
    "tuple",
    "()",
    "()[]",
    "uint8[0]",
    "uint8[-1]",
    "uint8[1025]",
    "uint8[",
    "(uint8",
    "uint8,uint8",
]


@pytest.mark.parametrize("kind", [*NO_TYPES, "", " uint8", "(" * 65 + "bool" + ")" * 65])
def test_what_is_no_type_is_refused(kind: str) -> None:
    with pytest.raises(AbiError):
        codec((kind,))


def test_structs_nest_as_deep_as_is_allowed() -> None:
    value: object = True
    for _ in range(64):
        value = (value,)
    assert decode(["(" * 64 + "bool" + ")" * 64], encode(["(" * 64 + "bool" + ")" * 64], [value])) == (value,)


def test_a_codec_is_compiled_once_and_knows_whether_it_is_static() -> None:
    assert codec(("address", "uint256")) is codec(("address", "uint256"))
    assert codec(("uint8[2]", "(bool,bytes32)")).is_static
    assert not codec(("uint8[]",)).is_static
    assert not codec(("(bool,string)",)).is_static
    assert codec(()).encode(()) == b""
    assert codec(()).decode(b"") == ()
    with pytest.raises(AbiError, match="needs 0 bytes, got 1"):
        codec(()).decode(b"\x00")


def test_lists_and_tuples_encode_alike_and_decode_to_tuples() -> None:
    encoded = encode(["uint8[]", "(bool,uint8)"], [[1, 2], [True, 3]])
    assert encoded == encode(["uint8[]", "(bool,uint8)"], ((1, 2), (True, 3)))
    assert decode(["uint8[]", "(bool,uint8)"], encoded) == ((1, 2), (True, 3))


@pytest.mark.parametrize(
    "signature", ["transfer(address,uint256)", "a()", "deploy((bytes32,(string,uint64)[]),bytes)", "$x_1(uint8[2][])"]
)
def test_selectors_are_those_of_eth_utils(signature: str) -> None:
    assert selector(signature) == function_signature_to_4byte_selector(signature)


def test_the_transfer_event_has_its_known_topic() -> None:
    topic = event_topic("Transfer(address,address,uint256)")
    assert topic.hex() == "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@pytest.mark.parametrize(
    "signature", ["", "a", "a(", "1a()", "a(uint)", "a(uint8, bool)", "a() ", "a(uint8)x", "a b()"]
)
def test_a_signature_that_is_not_canonical_is_refused(signature: str) -> None:
    with pytest.raises(AbiError):
        selector(signature)
