"""Verifying what a key has under the root of a Merkle-Patricia trie: the proofs of eth_getProof (EIP-1186).

Everything here is strict: the proof comes from somebody who may lie.
"""

from collections.abc import Iterator, Sequence

from flux.primitives import rlp
from flux.primitives.keccak import keccak256
from flux.primitives.rlp import Rlp
from flux.primitives.types import Hash

EMPTY_ROOT: Hash = keccak256(b"\x80")
"""Root of the trie without keys."""
VALUE_SLOT = 16
"""Of a branch: after its sixteen children."""

_TO_NIBBLES = bytes(int(chr(code), 16) if chr(code) in "0123456789abcdef" else 0 for code in range(256))


class ProofError(ValueError):
    """The proof does not show what the key has under the root."""


def to_nibbles(key: bytes) -> bytes:
    """The half bytes of a key, one a byte."""
    return key.hex().encode().translate(_TO_NIBBLES)


def expand(path: bytes) -> tuple[bytes, bool]:
    """The nibbles of a hex-prefix encoding, and whether it is a leaf's."""
    nibbles = to_nibbles(path)
    flag = nibbles[0]
    return nibbles[1:] if flag & 1 else nibbles[2:], flag >= 2


def verify_proof(root: bytes, key: bytes, proof: Sequence[bytes]) -> bytes | None:
    """The value of `key` under `root`, None if the proof shows that it has none.

    Raises ProofError unless every node is needed, whole and hashed into the one before.
    """
    if not proof:
        if root != EMPTY_ROOT:
            raise ProofError("an empty proof says nothing under a root that is not empty")
        return None
    remaining = iter(proof)
    value = _follow(root, to_nibbles(key), remaining)
    surplus = sum(1 for _ in remaining)
    if surplus:
        raise ProofError(f"{surplus} nodes at the end of the proof are not on the way to the key")
    return value


def _follow(root: bytes, nibbles: bytes, remaining: Iterator[bytes]) -> bytes | None:
    """The value at the end of the way through hashed and embedded nodes, None where the way ends before."""
    child: Rlp = root
    while True:
        node = _open(child, remaining)
        if not node:
            return None
        if len(node) == 17:
            if not nibbles:
                return _bytes(node[VALUE_SLOT], "the value of a branch") or None
            child = node[nibbles[0]]
            nibbles = nibbles[1:]
            if child == b"":
                return None
        else:
            prefix, leaf = _path(node[0])
            if leaf:
                return _bytes(node[1], "the value of a leaf") if nibbles == prefix else None
            if nibbles[: len(prefix)] != prefix:
                return None
            nibbles = nibbles[len(prefix) :]
            child = node[1]


def _open(child: Rlp, remaining: Iterator[bytes]) -> list[Rlp]:
    """The items of an embedded node, or of the next node of the proof if `child` is its hash."""
    if isinstance(child, bytes):
        encoded = next(remaining, None)
        if encoded is None:
            raise ProofError("the proof ends before the key does: nodes are missing")
        if keccak256(encoded) != child:
            raise ProofError("a node of the proof does not have the hash that the one before names")
        try:
            child = rlp.decode(encoded)
        except rlp.RlpError as error:
            raise ProofError(f"a node of the proof is not RLP: {error}") from error
        if child == b"":
            return []
    if not isinstance(child, list) or len(child) not in (2, 17):
        raise ProofError("a node of the proof is neither a branch, an extension nor a leaf")
    return child


def _path(item: Rlp) -> tuple[bytes, bool]:
    """The nibbles of a compact path, and whether a leaf's. Strict where `expand` trusts."""
    data = _bytes(item, "a path")
    if not data or data[0] >= 0x40 or (not data[0] & 0x10 and data[0] & 0x0F):
        raise ProofError("a path in the proof is not hex-prefix encoded")
    nibbles, leaf = expand(data)
    if not leaf and not nibbles:
        raise ProofError("an extension in the proof has an empty path")
    return nibbles, leaf


def _bytes(item: Rlp, what: str) -> bytes:
    if not isinstance(item, bytes):
        raise ProofError(f"{what} in the proof is a list")
    return item
