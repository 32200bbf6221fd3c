"""The chain's keyspace: every key begins with one byte of this list. A change here needs a new FORMAT_VERSION.

    a address                → account (world.py)                 s address key  → contract storage value
    t path                   → account trie node                  u address path → storage trie node
    b height                 → block (block.py)                   r height       → its receipts (receipt.py)
    n block hash             → height                             x transaction hash → height, index
    d height                 → parts of its reverse diff          e height part  → one part (history.py)
    l height                 → logs bloom, unless empty
    m name                   → about the database itself

Heights are 8 bytes big-endian, indices 4. The first four tables are the state; only they are in reverse diffs. A trie
path is one nibble a byte (chain/trie).
"""

from flux.primitives.types import Address, Hash, Height

FORMAT_VERSION = 2
"""Of everything stored; a program refuses to open another version."""

ACCOUNT = b"a"
STORAGE = b"s"
ACCOUNT_TRIE = b"t"
STORAGE_TRIE = b"u"
BLOCK = b"b"
RECEIPTS = b"r"
DIFF_NAMES = b"d"
DIFF_PART = b"e"
BLOOM = b"l"
NUMBER = b"n"
TRANSACTION = b"x"
META = b"m"
ALL = (
    ACCOUNT,
    STORAGE,
    ACCOUNT_TRIE,
    STORAGE_TRIE,
    BLOCK,
    RECEIPTS,
    DIFF_NAMES,
    DIFF_PART,
    BLOOM,
    NUMBER,
    TRANSACTION,
)
"""Every table but the facts about the database itself."""

META_FORMAT = b"mformat"
META_GENESIS = b"mgenesis"
META_HEAD = b"mhead"
META_FIRST = b"mfirst"
"""Lowest height, genesis apart, whose block and receipts are kept; absent while all are."""
META_BASE = b"mbase"
"""Height of the snapshot that the database was restored from; absent when it began with genesis."""
META_RESTORING = b"mrestoring"
"""There while a snapshot is being restored: what the state tables hold is then of no block."""

STORAGE_PREFIX_SIZE = len(STORAGE) + 20
MAX_STORAGE_KEY_SIZE = 400
"""Bytes of a contract's own key; with its table and address it must fit the store's limit."""


def block(height: Height) -> bytes:
    """Key of a block."""
    return BLOCK + height.to_bytes(8, "big")


def receipts(height: Height) -> bytes:
    """Key of a block's receipts."""
    return RECEIPTS + height.to_bytes(8, "big")


def diff_names(height: Height) -> bytes:
    """Key of the list of parts that the block's reverse diff has."""
    return DIFF_NAMES + height.to_bytes(8, "big")


def diff_part(height: Height, name: bytes) -> bytes:
    """Key of one part of the block's reverse diff."""
    return DIFF_PART + height.to_bytes(8, "big") + name


def bloom(height: Height) -> bytes:
    """Key of a block's logs bloom; a block without logs has none."""
    return BLOOM + height.to_bytes(8, "big")


def number(block_hash: Hash) -> bytes:
    """Key of the height of a block hash."""
    return NUMBER + block_hash


def transaction(transaction_hash: Hash) -> bytes:
    """Key of where a transaction is."""
    return TRANSACTION + transaction_hash


def account(address: Address) -> bytes:
    """Key of an account."""
    return ACCOUNT + address


def storage(address: Address, key: bytes) -> bytes:
    """Key of a value in a contract's storage."""
    return STORAGE + address + key


def storage_trie(address: Address) -> bytes:
    """What the keys of a contract's trie nodes begin with."""
    return STORAGE_TRIE + address
