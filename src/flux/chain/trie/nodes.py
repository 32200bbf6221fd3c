"""The bytes of trie nodes: nibbles, compact paths, branches, extensions and leaves.

A node is an RLP list: a branch has 17 items (16 children and a value), an extension and a leaf have 2 (compact path,
and child or value). A child is 0x80 when absent, the keccak of its RLP, or its RLP itself when that is shorter than 32
bytes. Items are handled as their raw RLP, so that what does not change is copied and never decoded.

These functions read nodes that this code wrote; nodes from elsewhere go through primitives.trie_proof.
"""

from collections.abc import Callable
from typing import TypeAlias

from flux.primitives.rlp import encode as rlp_encode
from flux.primitives.rlp import list_prefix
from flux.primitives.trie_proof import expand

Reader: TypeAlias = Callable[[bytes], bytes | None]
"""The RLP of the node stored at a path, None if there is none. Nodes shorter than 32 bytes live in their parents and
are not stored, except a root."""

EMPTY_ITEM = b"\x80"
MAX_KEY_SIZE = 128
"""Bytes; bounds the depth of recursion."""

NIBBLE = tuple(bytes((slot,)) for slot in range(16))

_HASH_ITEM_SIZE = 33
_TO_DIGITS = b"0123456789abcdef" + bytes(240)
_STRING_PREFIX = tuple(
    b"" if size == 1 else rlp_encode(bytes(size))[: -size or None] for size in range(MAX_KEY_SIZE + 2)
)
_FULL_BRANCH_SIZE = 3 + 16 * _HASH_ITEM_SIZE + 1
_FULL_BRANCH_LEADS = b"\xa0" * 16
_FULL_BRANCH_SLOTS = tuple(slice(start, start + _HASH_ITEM_SIZE) for start in range(3, 3 + 16 * 33, 33))


class TrieError(Exception):
    """The stored nodes do not form a trie, or a key or value cannot be in one."""


def compact(nibbles: bytes, *, leaf: bool) -> bytes:
    """Hex-prefix encoding: nibbles as bytes, after a flag for odd length and for leaf (Yellow Paper, appendix C)."""
    if len(nibbles) & 1:
        flagged = (b"\x03" if leaf else b"\x01") + nibbles
    else:
        flagged = (b"\x02\x00" if leaf else b"\x00\x00") + nibbles
    return bytes.fromhex(flagged.translate(_TO_DIGITS).decode())


def is_hash(item: bytes) -> bool:
    """Whether a child item is the keccak of a stored node (and not absent or embedded)."""
    return len(item) == _HASH_ITEM_SIZE


def leaf_path(key: bytes, depth: int) -> bytes:
    """The raw first item of the leaf of `key` that stands `depth` nibbles below the root."""
    half = depth >> 1
    path = bytes((0x30 | key[half] & 0x0F,)) + key[half + 1 :] if depth & 1 else b"\x20" + key[half:]
    return _STRING_PREFIX[len(path)] + path if len(path) > 1 else path


def encode_leaf(path: bytes, value: bytes) -> bytes:
    """The leaf of a value, `path` being its raw first item."""
    size = len(value)
    if 1 < size < 56:
        return list_prefix(len(path) + 1 + size) + path + _STRING_PREFIX[size] + value
    item = rlp_encode(value)
    return list_prefix(len(path) + len(item)) + path + item


def encode_short(nibbles: bytes, item: bytes, *, leaf: bool) -> bytes:
    """A leaf or extension whose second item is already encoded."""
    path = rlp_encode(compact(nibbles, leaf=leaf))
    return list_prefix(len(path) + len(item)) + path + item


def encode_branch(items: list[bytes]) -> bytes:
    """The branch of 17 encoded items."""
    payload = b"".join(items)
    return list_prefix(len(payload)) + payload


def split_short(node: bytes) -> tuple[bytes, bytes, bool]:
    """Nibbles, raw second item and whether it is a leaf, of a node that is not a branch."""
    start = 1 if node[0] < 0xF8 else node[0] - 0xF6
    middle = end_of_item(node, start)
    nibbles, leaf = expand(payload_of(node[start:middle]))
    return nibbles, node[middle:], leaf


def is_branch(node: bytes) -> bool:
    """A branch starts with a child, which is absent, a hash or a list; a leaf or extension with its path, a string."""
    lead = node[0]
    start = 1 if lead < 0xF8 else lead - 0xF6
    first = node[start]
    if first == 0xA0:
        return end_of_item(node, start + _HASH_ITEM_SIZE) != len(node)
    return first == 0x80 or first >= 0xC0


def split_branch(node: bytes) -> list[bytes]:
    """The 17 raw items of a branch."""
    if len(node) == _FULL_BRANCH_SIZE and node[3:-1:_HASH_ITEM_SIZE] == _FULL_BRANCH_LEADS:
        items = [node[slot] for slot in _FULL_BRANCH_SLOTS]
        items.append(EMPTY_ITEM)
        return items
    position = 1 if node[0] < 0xF8 else node[0] - 0xF6
    items = []
    try:
        for _ in range(17):
            first = node[position]
            if first == 0x80:
                items.append(EMPTY_ITEM)
                position += 1
            else:
                end = position + _HASH_ITEM_SIZE if first == 0xA0 else end_of_item(node, position)
                items.append(node[position:end])
                position = end
    except IndexError:
        position = -1
    if position != len(node):
        raise TrieError(f"a stored node is neither a branch, an extension nor a leaf: {node.hex()}")
    return items


def end_of_item(data: bytes, position: int) -> int:
    """Where the RLP item of a node that starts at `position` ends. Lists in nodes are embedded nodes, so short."""
    lead = data[position]
    if lead < 0x80:
        return position + 1
    if lead < 0xB8:
        return position + lead - 0x7F
    if lead < 0xC0:
        start = position + lead - 0xB6
        return start + int.from_bytes(data[position + 1 : start], "big")
    return position + lead - 0xBF


def payload_of(item: bytes) -> bytes:
    """The bytes in a raw RLP string."""
    lead = item[0]
    if lead < 0x80:
        return item
    return item[1:] if lead < 0xB8 else item[lead - 0xB6 :]


def load(reader: Reader, path: bytes) -> bytes:
    """The node that must be stored at a path."""
    node = reader(path)
    if node is None:
        raise TrieError(f"the trie node at path {path.hex()[1::2] or 'root'} is missing: the database is damaged")
    return node
