"""The unit of processor work: one *event* is 5,000 iterations of PBKDF2-HMAC-SHA512 (RFC 8018) in OpenSSL.

It takes about as long as one event of sysbench's prime test up to 60,000, by which the Flux network defines its tiers,
and needs native code alone, so it measures the machine and not Python. Events of a *chain* feed each other: event i
begins with the result of event i − 1, so that a chain cannot be shortened, while any one event can be checked alone.
The same function measures a host, checks its answer and judges the evidence on chain.
"""

import hashlib

from flux.primitives.keccak import keccak256
from flux.primitives.types import Hash

EVENT_ITERATIONS = 5_000
EVENT_BYTES = 32


def event(seed: bytes, chain: int, index: int, before: bytes) -> bytes:
    """The result of event `index` of chain `chain`; `before` is the result of the event before, or the seed."""
    salt = seed + chain.to_bytes(2, "big") + index.to_bytes(4, "big")
    return hashlib.pbkdf2_hmac("sha512", before, salt, EVENT_ITERATIONS, EVENT_BYTES)


def run_chain(seed: bytes, chain: int, length: int) -> bytes:
    """The results of a whole chain, one after the other. Releases the interpreter's lock while it works."""
    results = []
    before = seed
    for index in range(length):
        before = event(seed, chain, index, before)
        results.append(before)
    return b"".join(results)


def follows(seed: bytes, results: bytes, length: int, position: int) -> bool:
    """Whether event `position` (counted over all chains of this length) is what the event before it demands."""
    chain, index = divmod(position, length)
    start = position * EVENT_BYTES
    before = results[start - EVENT_BYTES : start] if index else seed
    return event(seed, chain, index, before) == results[start : start + EVENT_BYTES]


def answer_hash(node: int, epoch: int, seed: bytes, length: int, results: bytes) -> Hash:
    """What a node's agent signs with its answer: who it is, in which epoch, to which question, and what it computed."""
    facts = node.to_bytes(4, "big") + epoch.to_bytes(8, "big") + seed + length.to_bytes(4, "big")
    return keccak256(b"flux benchmark" + facts + keccak256(results))
