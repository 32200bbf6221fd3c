"""Proofs: made here and read by another library, and the other way round; forged ones are refused."""

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from flux.chain.trie import EMPTY_ROOT, ProofError, prove, update, verify_proof
from flux.primitives.keccak import keccak256
from flux.primitives.rlp import encode

few_keys = st.binary(min_size=1, max_size=3).map(lambda data: bytes(byte & 0x11 for byte in data))
hashed_keys = st.integers(0, 60).map(lambda number: keccak256(bytes((number,))))
values = st.one_of(st.binary(min_size=1, max_size=2), st.binary(min_size=28, max_size=60))


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(
        st.tuples(st.dictionaries(few_keys, values, max_size=30), st.lists(few_keys, max_size=6)),
        st.tuples(st.dictionaries(hashed_keys, values, max_size=30), st.lists(hashed_keys, max_size=6)),
    )
)
def test_presence_and_absence_verify_and_have_the_nodes_that_the_reference_gives(
    world: tuple[dict[bytes, bytes], list[bytes]],
) -> None:
    entries, others = world
    outcome = update({}.get, entries)
    reference = HexaryTrie({})
    for key, value in entries.items():
        reference[key] = value
    for key in [*entries, *others]:
        proof = prove(outcome.nodes.get, key)
        assert verify_proof(outcome.root, key, proof) == entries.get(key)
        decoded = [rlp.decode(node) for node in proof]
        if key in entries:
            assert HexaryTrie.get_from_proof(outcome.root, key, decoded) == entries[key]
            whole = [rlp.encode(node) for node in reference.get_proof(key)]
            assert proof == [node for node in whole if len(node) >= 32 or node == whole[0]]


def world_of(count: int) -> tuple[bytes, dict[bytes, bytes | None]]:
    outcome = update({}.get, {keccak256(bytes((number,))): b"v" * 40 for number in range(count)})
    return outcome.root, outcome.nodes


def test_an_empty_trie_proves_absence_with_no_nodes() -> None:
    assert prove({}.get, b"key") == []
    assert verify_proof(EMPTY_ROOT, b"key", []) is None
    assert verify_proof(EMPTY_ROOT, b"key", [b"\x80"]) is None


def test_an_empty_proof_is_refused_under_a_root() -> None:
    root, _ = world_of(3)
    with pytest.raises(ProofError, match="empty proof"):
        verify_proof(root, keccak256(b"\x01"), [])


def test_a_proof_with_a_node_missing_changed_or_added_is_refused() -> None:
    root, nodes = world_of(100)
    key = keccak256(b"\x07")
    proof = prove(nodes.get, key)
    assert len(proof) >= 3
    with pytest.raises(ProofError, match="nodes are missing"):
        verify_proof(root, key, proof[:-1])
    with pytest.raises(ProofError, match="does not have the hash"):
        verify_proof(root, key, proof[1:])
    with pytest.raises(ProofError, match="1 nodes at the end"):
        verify_proof(root, key, [*proof, proof[0]])
    for index, node in enumerate(proof):
        changed = [*proof[:index], node[:-1] + bytes((node[-1] ^ 1,)), *proof[index + 1 :]]
        with pytest.raises(ProofError, match="does not have the hash"):
            verify_proof(root, key, changed)


def test_a_proof_does_not_serve_another_key() -> None:
    root, nodes = world_of(100)
    proof = prove(nodes.get, keccak256(b"\x07"))
    for number in range(8, 40):
        with pytest.raises(ProofError):
            verify_proof(root, keccak256(bytes((number,))), proof)


LEAF_PATH = b"\x20"


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (b"", "not RLP"),
        (b"\x81\x01", "not RLP"),
        (encode([b"a", b"b", b"c"]), "neither a branch"),
        (encode([]), "neither a branch"),
        (encode(b"text"), "neither a branch"),
        (encode([b"", b"value"]), "hex-prefix"),
        (encode([b"\x40", b"value"]), "hex-prefix"),
        (encode([b"\x2f", b"value"]), "hex-prefix"),
        (encode([[], b"value"]), "a path in the proof is a list"),
        (encode([b"\x00", b"v" * 32]), "empty path"),
        (encode([LEAF_PATH, [b"value"]]), "the value of a leaf in the proof is a list"),
        (encode([b""] * 16 + [[b"value"]]), "the value of a branch in the proof is a list"),
    ],
)
def test_a_node_of_the_wrong_shape_is_refused_with_a_sentence(node: bytes, sentence: str) -> None:
    with pytest.raises(ProofError, match=sentence):
        verify_proof(keccak256(node), b"", [node])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=4), st.binary(max_size=4))
def test_hostile_proofs_get_a_typed_error(nodes: list[bytes], key: bytes) -> None:
    root = keccak256(nodes[0]) if nodes else keccak256(b"root")
    try:
        verify_proof(root, key, nodes)
    except ProofError:
        return
    assert nodes[0] == b"\x80" or nodes[0][0] >= 0xC0
