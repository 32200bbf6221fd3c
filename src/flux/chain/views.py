"""The state at one height, with proofs: the head or any of the blocks that history keeps.

A view holds one snapshot, so it stays what it is while blocks are committed. It must be closed, and one thread may use
it at a time.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from flux.chain import tables, trie
from flux.chain.block import Header
from flux.chain.history import PastReader
from flux.chain.overlay import Reader
from flux.chain.state_root import slot_of
from flux.chain.store import Snapshot
from flux.chain.world import decode_account
from flux.primitives import rlp
from flux.primitives.keccak import EMPTY_KECCAK, keccak256
from flux.primitives.types import U64, U256, Address, Hash, Height, Nonce, Wei


class SlotProof(NamedTuple):
    """What a contract's storage trie has under a slot, with the nodes that prove it."""

    slot: Hash
    value: bytes
    """At most 32 bytes: the stored value, or its keccak when it is longer; empty when there is none."""
    proof: list[bytes]


class AccountProof(NamedTuple):
    """The answer of eth_getProof (EIP-1186)."""

    address: Address
    nonce: Nonce
    balance: Wei
    code_hash: Hash
    storage_root: Hash
    proof: list[bytes]
    slots: list[SlotProof]


class StateView:
    """Reads of one height."""

    __slots__ = ("_snapshot", "head", "header", "height", "reader")

    def __init__(self, snapshot: Snapshot, header: Header, head: Height) -> None:
        self._snapshot = snapshot
        self.header = header
        """Of the block whose state this is."""
        self.height = header.number
        self.head = head
        """The newest block that the view knows of."""
        self.reader: Reader = snapshot if self.height == head else PastReader(snapshot, self.height, head)
        """The state tables, for a World."""

    def nonce(self, address: Address) -> Nonce:
        """Transactions that the account has sent."""
        return Nonce(U64(self._account(address)[0]))

    def balance(self, address: Address) -> Wei:
        """What the account holds."""
        return Wei(U256(self._account(address)[1]))

    def value(self, address: Address, key: bytes) -> bytes | None:
        """A value of a contract's storage by its key, whole, however long."""
        return self.reader.get(tables.storage(address, key))

    def storage(self, address: Address, slot: Hash) -> bytes | None:
        """What the storage trie has under a slot: the value, or its keccak when it is longer than 32 bytes."""
        proof = trie.prove(self._nodes(tables.storage_trie(address)), keccak256(slot))
        return self._slot_value(address, slot, proof) or None

    def prove(self, address: Address, slots: Sequence[Hash] = ()) -> AccountProof:
        """The account and some of its slots, present or absent, with their proofs."""
        key = keccak256(address)
        nodes = self._nodes(tables.ACCOUNT_TRIE)
        proof = trie.prove(nodes, key)
        leaf = trie.verify_proof(self.state_root(), key, proof)
        storage = self._nodes(tables.storage_trie(address))
        proven = []
        for slot in slots:
            slot_proof = trie.prove(storage, keccak256(slot))
            proven.append(SlotProof(slot, self._slot_value(address, slot, slot_proof), slot_proof))
        if leaf is None:
            return AccountProof(address, Nonce(U64(0)), Wei(U256(0)), EMPTY_KECCAK, trie.EMPTY_ROOT, proof, proven)
        nonce, balance, root, code_hash = rlp.decode_flat(leaf)
        return AccountProof(
            address,
            Nonce(U64(rlp.decode_int(nonce))),
            Wei(U256(rlp.decode_int(balance))),
            Hash(code_hash),
            Hash(root),
            proof,
            proven,
        )

    def prove_keys(self, address: Address, keys: Sequence[bytes]) -> tuple[AccountProof, list[bytes | None]]:
        """Like `prove`, by storage keys instead of slots, with the whole values."""
        proof = self.prove(address, [slot_of(key) for key in keys])
        return proof, [self.value(address, key) for key in keys]

    def state_root(self) -> Hash:
        """Root of the account trie as stored; the header's says the same."""
        node = self._nodes(tables.ACCOUNT_TRIE)(b"")
        return trie.EMPTY_ROOT if node is None else keccak256(node)

    def close(self) -> None:
        """Release the snapshot."""
        self._snapshot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _account(self, address: Address) -> tuple[int, int]:
        return decode_account(self.reader.get(tables.account(address)))

    def _slot_value(self, address: Address, slot: Hash, proof: list[bytes]) -> bytes:
        root = self._nodes(tables.storage_trie(address))(b"")
        leaf = trie.verify_proof(trie.EMPTY_ROOT if root is None else keccak256(root), keccak256(slot), proof)
        value = b"" if leaf is None else rlp.decode(leaf)
        if not isinstance(value, bytes):
            raise trie.TrieError(f"the leaf of slot {slot.hex()} is not a value: the database is damaged")
        return value

    def _nodes(self, prefix: bytes) -> trie.Reader:
        """Trie nodes by path."""
        get = self.reader.get
        return lambda path: get(prefix + path)
