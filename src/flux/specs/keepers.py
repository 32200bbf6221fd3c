"""Shares of a seed for its keepers: what a generation of sharing must be, made from nothing but the seed.

Shamir's scheme over GF(2^128), as pycryptodome's `Shamir.combine` opens it (Communications of the ACM 22, 1979): the
seed is a polynomial's value at 0, the share of index i its value at i. The coefficients, and the ephemeral keys of the
sealed boxes, derive (HKDF) from seed, app, revision and generation. So whoever has the seed can make the same sharing
again, byte for byte, and see whether what another proposes is right.
"""

import hashlib
from collections.abc import Mapping, Sequence

import nacl.bindings
import nacl.exceptions
import nacl.public

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.secrets.types import Generation, Keeper, Seat, SharedSeed
from flux.primitives.hkdf import hkdf
from flux.primitives.keccak import keccak256
from flux.primitives.types import U8, Hash
from flux.specs.private_half import SEED_SIZE, PrivateHalfError, open_box

_POLYNOMIAL = (1 << 128) | (1 << 7) | (1 << 2) | (1 << 1) | 1
"""x^128 + x^7 + x^2 + x + 1, the field of pycryptodome's Shamir."""
_NONCE_SIZE = 24
_BOX_SIZE = 64


class Purpose:
    """Which sharing something derives for: one app, revision and generation."""

    __slots__ = ("_name",)

    def __init__(self, app: AppId, revision: Revision, generation: Generation) -> None:
        self._name = app.to_bytes(8, "big") + revision.to_bytes(4, "big") + generation.to_bytes(4, "big")

    def derive(self, seed: bytes, what: bytes, size: int) -> bytes:
        """Secret bytes that only a holder of the seed can derive."""
        info = b"flux keepers v1 " + self._name + what
        return hkdf(seed, size, info)

    def share_hash(self, index: int, share: bytes) -> Hash:
        """By what a share is recognised; 16 bytes that nobody guesses are behind it."""
        return keccak256(b"flux share v1 " + self._name + index.to_bytes(1, "big") + share)


def share_out(
    seed: bytes, app: AppId, revision: Revision, generation: Generation, threshold: U8, seats: Sequence[Seat]
) -> SharedSeed:
    """The one sharing of a seed among these seats.

    A keeper whose key nothing can be sealed to gets an empty box, so that it keeps nobody else from theirs.
    """
    if len(seed) != SEED_SIZE:
        raise ValueError(f"a seed has {SEED_SIZE} bytes, got {len(seed)}")
    purpose = Purpose(app, revision, generation)
    keepers = []
    for index, (seat, share) in enumerate(zip(seats, split(seed, purpose, threshold, len(seats)), strict=True), 1):
        box = _seal(share, seat.key, purpose.derive(seed, b"box" + index.to_bytes(1, "big") + seat.key, 32))
        keepers.append(Keeper(seat.node, seat.key, purpose.share_hash(index, share), box))
    return SharedSeed(generation, threshold, tuple(keepers))


def is_right(shared: SharedSeed, seed: bytes, app: AppId, revision: Revision) -> bool:
    """Whether a sharing on chain is the one of this seed."""
    seats = [Seat(keeper.node, keeper.key) for keeper in shared.keepers]
    return share_out(seed, app, revision, shared.generation, shared.threshold, seats) == shared


def split(seed: bytes, purpose: Purpose, threshold: int, count: int) -> list[bytes]:
    """Shares 1…`count` of 16 bytes each, any `threshold` of which give the seed."""
    coefficients = [int.from_bytes(seed, "big")]
    for power in range(1, threshold):
        derived = purpose.derive(seed, b"coefficient" + power.to_bytes(1, "big"), SEED_SIZE)
        coefficients.append(int.from_bytes(derived, "big"))
    return [_value_at(index, coefficients).to_bytes(SEED_SIZE, "big") for index in range(1, count + 1)]


def combine(shares: Mapping[int, bytes]) -> bytes:
    """The seed of as many shares, by index, as the threshold; other bytes when one is wrong."""
    from Crypto.Protocol.SecretSharing import Shamir

    return bytes(Shamir.combine(list(shares.items()), ssss=False))


def open_share(box: bytes, secret_key: bytes, shared: SharedSeed, index: int, app: AppId, revision: Revision) -> bytes:
    """The share of an index out of a box. Raises PrivateHalfError when it is not the one that the chain names."""
    share = open_box(box, secret_key)
    if Purpose(app, revision, shared.generation).share_hash(index, share) != shared.keepers[index - 1].share:
        raise PrivateHalfError(f"share {index} is not the one that the chain has the hash of")
    return share


def _value_at(index: int, coefficients: Sequence[int]) -> int:
    """Horner's rule."""
    value = 0
    for coefficient in reversed(coefficients):
        value = _multiply(value, index) ^ coefficient
    return value


def _multiply(first: int, second: int) -> int:
    """In GF(2^128). Its time depends on `second` alone, which is an index and no secret."""
    product = 0
    while second:
        if second & 1:
            product ^= first
        second >>= 1
        first <<= 1
        first ^= _POLYNOMIAL * (first >> 128)
    return product


def _seal(share: bytes, key: Hash, ephemeral: bytes) -> bytes:
    """A libsodium sealed box whose ephemeral key is given instead of drawn; `SealedBox` opens it."""
    public = nacl.bindings.crypto_scalarmult_base(ephemeral)
    nonce = hashlib.blake2b(public + key, digest_size=_NONCE_SIZE).digest()
    try:
        return public + nacl.bindings.crypto_box(share, nonce, key, ephemeral)
    except (nacl.exceptions.CryptoError, RuntimeError):
        return bytes(_BOX_SIZE)
