"""The state root from nothing but the flat values: what the incremental trie must always agree with."""

from collections.abc import Mapping

from flux.chain import tables
from flux.chain.state_root import code_of, leaf_of, slot_of
from flux.chain.store import Snapshot
from flux.chain.trie import EMPTY_ROOT, update
from flux.chain.world import decode_account
from flux.primitives import rlp
from flux.primitives.keccak import EMPTY_KECCAK, keccak256
from flux.primitives.types import Address, Hash


def recomputed_root(snapshot: Snapshot, contract_names: Mapping[Address, str]) -> Hash:
    """Root of the state in a snapshot of the store."""
    storage: dict[bytes, dict[bytes, bytes | None]] = {}
    for key, value in snapshot.range(tables.STORAGE, b"t"):
        storage.setdefault(key[1:21], {})[keccak256(slot_of(key[21:]))] = leaf_of(value)
    accounts = {key[1:]: decode_account(value) for key, value in snapshot.range(tables.ACCOUNT, b"b")}
    leaves: dict[bytes, bytes | None] = {}
    for address in {*accounts, *storage, *contract_names}:
        nonce, balance = accounts.get(address, (0, 0))
        root = update(nothing, storage[address]).root if address in storage else EMPTY_ROOT
        name = contract_names.get(Address(address))
        code_hash = EMPTY_KECCAK if name is None else keccak256(code_of(name))
        leaves[keccak256(address)] = rlp.encode([rlp.encode_int(nonce), rlp.encode_int(balance), root, code_hash])
    return update(nothing, leaves).root


def nothing(path: bytes) -> bytes | None:
    """The trie without nodes."""
    return None
