"""Merkle trees: every leaf can be proven, nothing else can."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.primitives import merkle


def test_the_root_of_three_leaves_is_the_one_of_rfc_6962() -> None:
    def inner(one: bytes, other: bytes) -> bytes:
        return hashlib.sha256(b"\x01" + one + other).digest()

    leaves = [hashlib.sha256(b"\x00" + data).digest() for data in (b"", b"\x00", b"\x10")]
    assert [merkle.leaf(data) for data in (b"", b"\x00", b"\x10")] == leaves
    assert merkle.root(leaves) == inner(inner(leaves[0], leaves[1]), leaves[2])


@given(st.integers(1, 40), st.data())
def test_every_leaf_has_a_proof_that_holds_for_its_place_only(count: int, data: st.DataObject) -> None:
    leaves = [merkle.leaf(bytes([index])) for index in range(count)]
    root = merkle.root(leaves)
    index = data.draw(st.integers(0, count - 1))
    proof = merkle.proof(leaves, index)
    assert merkle.verify(root, leaves[index], index, count, proof)
    other = data.draw(st.integers(0, count - 1))
    assert merkle.verify(root, leaves[index], other, count, proof) == (other == index)
    assert not merkle.verify(root, merkle.leaf(b"other"), index, count, proof)
    assert not merkle.verify(root, leaves[index], index, count, [*proof, bytes(32)])
    if proof:
        assert not merkle.verify(root, leaves[index], index, count, proof[:-1])


@pytest.mark.parametrize("index", [-1, 3])
def test_places_outside_the_tree_have_no_proof(index: int) -> None:
    leaves = [merkle.leaf(bytes([index])) for index in range(3)]
    assert not merkle.verify(merkle.root(leaves), leaves[0], index, 3, [])
