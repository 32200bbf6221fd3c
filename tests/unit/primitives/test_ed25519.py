"""Ed25519 and hash onions: what verifies and what does not."""

import pytest

from flux.primitives import ed25519
from flux.primitives.keccak import keccak256
from flux.primitives.onion import is_preimage, layer
from flux.primitives.types import Hash

# RFC 8032, section 7.1, test 2.
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
KEY = Hash(bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"))
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_the_vector_of_the_rfc() -> None:
    assert ed25519.public_key_of(SEED) == KEY
    assert ed25519.sign(SEED, b"\x72") == SIGNATURE
    assert ed25519.verify(KEY, b"\x72", SIGNATURE)


@pytest.mark.parametrize(
    ("key", "message", "signature"),
    [
        (KEY, b"\x73", SIGNATURE),
        (KEY, b"\x72", SIGNATURE[:-1]),
        (KEY, b"\x72", SIGNATURE + b"\0"),
        (KEY, b"\x72", bytes(64)),
        (KEY[:-1], b"\x72", SIGNATURE),
        (Hash(bytes(32)), b"\x72", SIGNATURE),
        (Hash(b"\x01" + bytes(31)), b"\x72", b"\x01" + bytes(63)),
        (Hash(b"\xff" * 32), b"\x72", SIGNATURE),
    ],
)
def test_everything_else_is_refused(key: Hash, message: bytes, signature: bytes) -> None:
    assert not ed25519.verify(key, message, signature)


def test_an_onion_is_peeled_from_the_outside() -> None:
    secret = b"s" * 32
    assert layer(secret, 1) == keccak256(secret)
    for depth in range(2, 6):
        assert is_preimage(layer(secret, depth - 1), layer(secret, depth))
        assert not is_preimage(layer(secret, depth), layer(secret, depth))
    assert is_preimage(secret, layer(secret, 1))
