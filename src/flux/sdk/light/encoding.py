"""The bytes that CometBFT hashes and signs: protobuf in its one canonical form, and Merkle trees of RFC 6962.

Written out by hand because the bytes are consensus: protobuf libraries promise messages that mean the same, not the
same bytes. Messages: `tendermint/types/{canonical,types,validator}.proto` of CometBFT v0.40.
"""

from collections.abc import Sequence
from hashlib import sha256

from flux.sdk.light.types import SECOND, BlockId, Commit, Header, Validator

_PRECOMMIT = 2
_VARINT, _FIXED64, _BYTES = 0, 1, 2


def header_hash(header: Header) -> bytes:
    """The block's hash: the Merkle root of the header's fields, each encoded by itself."""
    version = _integer(1, header.version_block) + _integer(2, header.version_app)
    return merkle_root(
        [
            version,
            _bytes(1, header.chain_id.encode()),
            _integer(1, header.height),
            _timestamp(header.time),
            _block_id(header.last_block_id),
            _bytes(1, header.last_commit_hash),
            _bytes(1, header.data_hash),
            _bytes(1, header.validators_hash),
            _bytes(1, header.next_validators_hash),
            _bytes(1, header.consensus_hash),
            _bytes(1, header.app_hash),
            _bytes(1, header.last_results_hash),
            _bytes(1, header.evidence_hash),
            _bytes(1, header.proposer_address),
        ]
    )


def validators_hash(validators: Sequence[Validator]) -> bytes:
    """What a header commits to: keys and powers, in order."""
    leaves = [_message(1, _bytes(1, validator.public_key)) + _integer(2, validator.power) for validator in validators]
    return merkle_root(leaves)


def vote_sign_bytes(chain_id: str, commit: Commit, time: int) -> bytes:
    """What a validator whose vote has this time signed: a CanonicalVote, its length before it."""
    block_id = commit.block_id
    vote = (
        _integer(1, _PRECOMMIT)
        + _fixed(2, commit.height)
        + _fixed(3, commit.round)
        + _message(4, _block_id(block_id))
        + _message(5, _timestamp(time))
        + _bytes(6, chain_id.encode())
    )
    return varint(len(vote)) + vote


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, with SHA-256."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\1" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()


def varint(number: int) -> bytes:
    """Base 128, least significant group first; negative numbers as 64 bits in two's complement."""
    number &= (1 << 64) - 1
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _block_id(block_id: BlockId) -> bytes:
    """Also the canonical one: the messages differ in name only."""
    parts = _integer(1, block_id.parts_total) + _bytes(2, block_id.parts_hash)
    return _bytes(1, block_id.hash) + _message(2, parts)


def _timestamp(time: int) -> bytes:
    seconds, nanoseconds = divmod(time, SECOND)
    return _integer(1, seconds) + _integer(2, nanoseconds)


def _integer(field: int, value: int) -> bytes:
    """A default value is left out."""
    return varint(field << 3 | _VARINT) + varint(value) if value else b""


def _fixed(field: int, value: int) -> bytes:
    return varint(field << 3 | _FIXED64) + value.to_bytes(8, "little", signed=True) if value else b""


def _bytes(field: int, value: bytes) -> bytes:
    return _message(field, value) if value else b""


def _message(field: int, value: bytes) -> bytes:
    """An embedded message is there even when it is empty."""
    return varint(field << 3 | _BYTES) + varint(len(value)) + value
