"""From what a block wrote to the stored form of the next state: flat values, trie nodes, root, and what they replace.

Commitment: the account trie has keccak(address) → rlp([nonce, balance, storage root, code hash]); a storage trie has
keccak(slot) → rlp(value), or rlp(keccak(value)) when the value is longer than 32 bytes; the slot of a storage key is
keccak(key), and is what eth_getProof takes. Whoever wants the long value of a slot asks by key (views.py).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from flux.chain import tables
from flux.chain.trie import EMPTY_ROOT, update
from flux.chain.world import EMPTY_ACCOUNT, Account, ChainWorld, decode_account, encode_account
from flux.kernel.context import SYSTEM_ADDRESS
from flux.primitives import rlp
from flux.primitives.keccak import EMPTY_KECCAK, keccak256
from flux.primitives.types import Address, Hash

Writes = dict[bytes, bytes | None]
Read = Callable[[bytes], bytes | None]

_PLAIN_TAIL = b"\xa0" + EMPTY_ROOT + b"\xa0" + EMPTY_KECCAK
_ADDRESS = slice(1, tables.STORAGE_PREFIX_SIZE)


@dataclass(frozen=True, slots=True)
class StateChange:
    """The difference between two states, forwards and backwards."""

    root: Hash
    writes: Writes
    """Store keys of the four state tables that change; None deletes."""
    replaced: Writes
    """What they had before, for the same keys; None for nothing."""


def code_of(name: str) -> bytes:
    """What stands for the code of a native contract: no bytecode, an invalid instruction and a name."""
    return b"\xfeflux:" + name.encode()


def slot_of(key: bytes) -> Hash:
    """The 32-byte slot under which eth_getProof finds a storage key."""
    return keccak256(key)


def leaf_of(value: bytes) -> bytes:
    """What a storage trie holds for a value."""
    return rlp.encode(value if len(value) <= 32 else keccak256(value))


class StateCommitment:
    """Computes StateChanges for one set of contracts."""

    def __init__(self, contract_names: Mapping[Address, str]) -> None:
        self._code_hashes = {address: keccak256(code_of(name)) for address, name in contract_names.items()}
        self._with_storage = {SYSTEM_ADDRESS, *contract_names}

    def change(self, world: ChainWorld, touched: Iterable[Address] = ()) -> StateChange:
        """The change that the world's writes make to its base. `touched` accounts are committed even if unwritten."""
        collected = _Collected(world.base.get)
        storage_roots = self._storage(world, collected)
        accounts: dict[bytes, bytes | None] = {}
        for address, account in world.accounts.items():
            stored = None if account == EMPTY_ACCOUNT else encode_account(account)
            if collected.put(tables.ACCOUNT + address, stored):
                accounts[keccak256(address)] = self._leaf(address, account, storage_roots, collected.read)
        for address in (*storage_roots, *touched):
            if (key := keccak256(address)) not in accounts:
                account = world.accounts.get(address) or decode_account(collected.read(tables.ACCOUNT + address))
                accounts[key] = self._leaf(address, account, storage_roots, collected.read)
        root = collected.update_trie(tables.ACCOUNT_TRIE, accounts)
        return StateChange(root, collected.writes, collected.replaced)

    def _storage(self, world: ChainWorld, collected: "_Collected") -> dict[Address, Hash]:
        """Flat values and storage tries; the new roots of the contracts whose storage changed."""
        by_address: dict[bytes, dict[bytes, bytes | None]] = {}
        for key, value in world.storage.values.items():
            if collected.put(key, value):
                slot = keccak256(key[tables.STORAGE_PREFIX_SIZE :])
                leaf = None if value is None else leaf_of(value)
                by_address.setdefault(key[_ADDRESS], {})[keccak256(slot)] = leaf
        return {
            Address(address): collected.update_trie(tables.storage_trie(Address(address)), changes)
            for address, changes in by_address.items()
        }

    def _leaf(self, address: Address, account: Account, roots: Mapping[Address, Hash], read: Read) -> bytes | None:
        nonce, balance = account
        if address not in self._with_storage:
            return None if account == EMPTY_ACCOUNT else _encode_leaf(nonce, balance, _PLAIN_TAIL)
        root = roots.get(address) or storage_root(read, address)
        code_hash = self._code_hashes.get(address, EMPTY_KECCAK)
        if account == EMPTY_ACCOUNT and root == EMPTY_ROOT and code_hash == EMPTY_KECCAK:
            return None
        return _encode_leaf(nonce, balance, b"\xa0" + root + b"\xa0" + code_hash)


def storage_root(read: Read, address: Address) -> Hash:
    """Root of a contract's stored storage trie."""
    node = read(tables.storage_trie(address))
    return EMPTY_ROOT if node is None else keccak256(node)


def _encode_leaf(nonce: int, balance: int, tail: bytes) -> bytes:
    body = rlp.encode(rlp.encode_int(nonce)) + rlp.encode(rlp.encode_int(balance)) + tail
    return rlp.list_prefix(len(body)) + body


class _Collected:
    """Writes that differ from what is stored, with what is stored."""

    __slots__ = ("read", "replaced", "writes")

    def __init__(self, read: Read) -> None:
        self.read = read
        self.writes: Writes = {}
        self.replaced: Writes = {}

    def put(self, key: bytes, value: bytes | None) -> bool:
        """Take a write in unless it changes nothing."""
        old = self.read(key)
        if old == value:
            return False
        self.replaced[key] = old
        self.writes[key] = value
        return True

    def update_trie(self, prefix: bytes, changes: Mapping[bytes, bytes | None]) -> Hash:
        """Apply changes to the trie whose nodes' keys begin with `prefix`; the new root."""
        get, seen = self.read, dict[bytes, bytes | None]()

        def read(path: bytes) -> bytes | None:
            node = seen[path] = get(prefix + path)
            return node

        outcome = update(read, changes)
        writes, replaced = self.writes, self.replaced
        for path, node in outcome.nodes.items():
            key = prefix + path
            old = seen[path] if path in seen else get(key)
            if old != node:
                writes[key] = node
                replaced[key] = old
        return outcome.root
