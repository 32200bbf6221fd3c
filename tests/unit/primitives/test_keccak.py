"""Keccak-256 against known answers and eth_utils."""

from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from flux.primitives.keccak import EMPTY_KECCAK, keccak256


def test_the_hash_of_nothing_is_ethereums_and_not_sha3s() -> None:
    assert EMPTY_KECCAK.hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@given(st.binary(max_size=400))
def test_hashes_are_those_of_eth_utils(data: bytes) -> None:
    assert keccak256(data) == keccak(data)
