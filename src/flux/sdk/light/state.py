"""From a verified CometBFT header to accounts and storage: our header by its hash, the rest by Merkle proofs.

CometBFT's header at height H + 1 carries, as `app_hash`, the hash of our block H. The answers checked here are those of
flux_header, eth_getProof and flux_getProof.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flux.primitives import rlp
from flux.primitives.hexadecimal import HexError, from_hex
from flux.primitives.keccak import keccak256
from flux.primitives.trie_proof import EMPTY_ROOT, ProofError, verify_proof
from flux.primitives.types import U64, U256, Address, Hash, Height, Nonce, Timestamp, Wei
from flux.sdk.light.errors import BadHeader, BadProof, Malformed
from flux.sdk.light.types import LightBlock

_FIELDS = 16
_STATE_ROOT, _NUMBER, _TIMESTAMP = 3, 8, 11
MAX_NODES = 80
"""In one proof: a path has 64 nibbles."""


@dataclass(frozen=True, slots=True)
class StateHeader:
    """What is read of our header, which is verified as a whole."""

    raw: bytes
    """RLP; its keccak is the block's hash."""
    number: Height
    timestamp: Timestamp
    """Seconds."""
    state_root: Hash

    @property
    def hash(self) -> Hash:
        """The block's."""
        return keccak256(self.raw)


@dataclass(frozen=True, slots=True)
class ProvenAccount:
    """An account as the state has it; one that is not there is empty."""

    nonce: Nonce
    balance: Wei
    storage_root: Hash


def verify_header(light: LightBlock, raw: bytes) -> StateHeader:
    """Our header of the block before a verified light block. Raises BadHeader, Malformed."""
    if keccak256(raw) != light.header.app_hash:
        raise BadHeader(f"the header is not the one that validators signed at height {light.height}")
    try:
        fields = rlp.decode_flat(raw)
        if len(fields) != _FIELDS or len(fields[_STATE_ROOT]) != 32:
            raise Malformed("the header does not have the fields of this protocol; is this program too old?")
        number, timestamp = rlp.decode_int(fields[_NUMBER]), rlp.decode_int(fields[_TIMESTAMP])
        header = StateHeader(raw, Height(U64(number)), Timestamp(U64(timestamp)), Hash(fields[_STATE_ROOT]))
    except ValueError as error:
        raise Malformed(f"the header cannot be read: {error}") from error
    if header.number != light.height - 1:
        raise BadHeader(f"height {light.height} carries our block {header.number}")
    return header


def verify_account(state_root: Hash, address: Address, answer: object) -> ProvenAccount:
    """The account that a proof shows under a state root. Raises BadProof, Malformed."""
    leaf = _proven(state_root, keccak256(address), _member(answer, "accountProof"), "an account")
    if leaf is None:
        return ProvenAccount(Nonce(U64(0)), Wei(U256(0)), EMPTY_ROOT)
    try:
        nonce, balance, storage_root, _ = rlp.decode_flat(leaf)
        return ProvenAccount(Nonce(U64(rlp.decode_int(nonce))), Wei(U256(rlp.decode_int(balance))), Hash(storage_root))
    except ValueError as error:
        raise BadProof(f"the leaf of 0x{address.hex()} is not an account") from error


def verify_values(account: ProvenAccount, keys: Sequence[bytes], answer: object) -> dict[bytes, bytes | None]:
    """The whole values of a contract's storage keys, None for those that are not there. Raises BadProof, Malformed."""
    proofs, values = _list(_member(answer, "storageProof")), _list(_member(answer, "values"))
    if not len(proofs) == len(values) == len(keys):
        raise Malformed(f"asked for {len(keys)} values, got {len(values)} with {len(proofs)} proofs")
    found: dict[bytes, bytes | None] = {}
    for key, proof, text in zip(keys, proofs, values, strict=True):
        leaf = _proven(account.storage_root, slot_path(key), _member(proof, "proof"), "a storage slot")
        value = None if text is None else _bytes(text)
        if leaf != (None if value is None else leaf_of(value)):
            raise BadProof(f"the value of the storage key 0x{key.hex()} is not the one that the state root commits to")
        found[key] = value
    return found


def slot_path(key: bytes) -> Hash:
    """Where the storage trie has a key: under the keccak of its slot, which is the key's keccak."""
    return keccak256(keccak256(key))


def leaf_of(value: bytes) -> bytes:
    """What the storage trie has for a value: RLP of it, or of its keccak when it is longer than 32 bytes."""
    return rlp.encode(value if len(value) <= 32 else keccak256(value))


def _proven(root: Hash, path: Hash, nodes: object, what: str) -> bytes | None:
    proof = [_bytes(node) for node in _list(nodes)]
    if len(proof) > MAX_NODES:
        raise Malformed(f"a proof of {len(proof)} nodes")
    try:
        return verify_proof(root, path, proof)
    except ProofError as error:
        raise BadProof(f"the proof of {what} is wrong: {error}") from error


def _member(answer: object, name: str) -> Any:
    if not isinstance(answer, Mapping) or name not in answer:
        raise Malformed(f"the proof has no {name}")
    return answer[name]


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed("expected a list in the proof")
    return value


def _bytes(value: object) -> bytes:
    try:
        return from_hex(value)  # type: ignore[arg-type]
    except HexError as error:
        raise Malformed(f"expected hex in the proof: {error}") from error
