"""Hash onions: a chain of hashes of one secret, revealed from the outside in (Lamport, 1981).

The head is H^n(secret); whoever knows it can check the next preimage, and nobody can compute one ahead.
"""

from flux.primitives.keccak import keccak256
from flux.primitives.types import Hash


def layer(secret: bytes, depth: int) -> Hash:
    """H^depth(secret), depth at least 1: the head of an onion of `depth` reveals, or what is left of it."""
    value = bytes(secret)
    for _ in range(depth):
        value = keccak256(value)
    return Hash(value)


def is_preimage(candidate: bytes, head: Hash) -> bool:
    """Whether `candidate` is the layer below `head`."""
    return keccak256(candidate) == head
