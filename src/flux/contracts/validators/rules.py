"""Pure arithmetic of the validator set."""

from hashlib import sha256

from flux.primitives.types import Address, ConsensusAddress, Hash

_ADDRESS_SIZE = 20


def consensus_address(public_key: Hash) -> ConsensusAddress:
    """How CometBFT names an ed25519 key: the first 20 bytes of its SHA-256."""
    return ConsensusAddress(Address(sha256(public_key).digest()[:_ADDRESS_SIZE]))
