"""A snapshot: the whole flat state after one block as a stream of bytes, cut into chunks; the same on every node.

The stream is store entries in key order, each as sizes (key 2 bytes, value 4), key, value: all accounts, the block's
transactions, all contract storage. Tries are not part of it: whoever restores it builds them, and so proves that the
state has the root of the block's header. The metadata name the header and each chunk's hash; the header's hash is the
app hash that the engine vouches for, everything else is checked against it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from flux.chain import tables
from flux.chain.block import Block, CorruptBlock, Header, decode_header
from flux.chain.consensus_info import encode_info
from flux.chain.store import Snapshot, end_of_prefix
from flux.chain.system_transaction import info_of
from flux.primitives.keccak import keccak256
from flux.primitives.types import Hash

FORMAT: Final = 1
"""Of stream and metadata. Peers with another one are not asked."""
CHUNK_SIZE: Final = 4 * 1024 * 1024
"""Bytes of every chunk but the last, which is shorter."""
MAX_CHUNKS: Final = 4_096
"""16 GiB of flat state. Bounds what a lying peer can make a node download before the root gives it away."""
MAX_VALUE: Final = 64 * 1024 * 1024
"""Bytes of one entry; bounds memory while an entry is incomplete."""

_KEY_SIZE = 2
_VALUE_SIZE = 4
_HEADING = _KEY_SIZE + _VALUE_SIZE

_pack = msgspec.msgpack.Encoder().encode
_metadata = msgspec.msgpack.Decoder(tuple[bytes, list[bytes]]).decode
_body = msgspec.msgpack.Decoder(tuple[list[bytes], bytes]).decode

Entry = tuple[bytes, bytes]


class BadSnapshot(ValueError):
    """The snapshot as a whole is wrong, or is not of the block that was asked for; whoever offered it lied or errs."""


class BadChunk(ValueError):
    """A chunk is not the one that the snapshot's metadata name: damaged, truncated, or of another snapshot."""


class ChunkOutOfOrder(ValueError):
    """A chunk came again or too early; the one to be applied next is `expected`."""

    def __init__(self, index: int, expected: int) -> None:
        super().__init__(f"chunk {index} came where chunk {expected} belongs")
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Metadata:
    """What identifies a snapshot."""

    header: Header
    chunk_hashes: tuple[Hash, ...]

    def encode(self) -> bytes:
        """As peers exchange it; its keccak is the snapshot's hash."""
        return _pack((self.header.encode(), list(self.chunk_hashes)))


def decode_metadata(data: bytes) -> Metadata:
    """The metadata of `Metadata.encode`. Raises BadSnapshot for anything else."""
    try:
        header, hashes = _metadata(data)
        metadata = Metadata(decode_header(header), tuple(Hash(item) for item in hashes))
    except (msgspec.MsgspecError, CorruptBlock) as error:
        raise BadSnapshot(f"not the metadata of a snapshot: {error}") from error
    if not 0 < len(hashes) <= MAX_CHUNKS:
        raise BadSnapshot(f"a snapshot has 1 to {MAX_CHUNKS} chunks, this one has {len(hashes)}")
    if any(len(item) != 32 for item in hashes) or metadata.encode() != data:
        raise BadSnapshot("the metadata are not in their one canonical form")
    return metadata


def chunks(snapshot: Snapshot, block: Block, size: int = CHUNK_SIZE) -> Iterator[bytes]:
    """The chunks of the state in a store's snapshot, whose newest block this is. Genesis needs no snapshot."""
    buffer = bytearray()
    for key, value in _entries(snapshot, block):
        buffer += len(key).to_bytes(_KEY_SIZE, "big")
        buffer += len(value).to_bytes(_VALUE_SIZE, "big")
        buffer += key
        buffer += value
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)


def _entries(snapshot: Snapshot, block: Block) -> Iterator[Entry]:
    *signed, system = block.transactions
    yield from snapshot.range(tables.ACCOUNT, end_of_prefix(tables.ACCOUNT))
    yield tables.block(block.number), _pack(([transaction.raw for transaction in signed], encode_info(info_of(system))))
    yield from snapshot.range(tables.STORAGE, end_of_prefix(tables.STORAGE))


def decode_body(value: bytes) -> tuple[list[bytes], bytes]:
    """The raw transactions and the encoded consensus info of the block's entry. Raises BadSnapshot."""
    try:
        return _body(value)
    except msgspec.MsgspecError as error:
        raise BadSnapshot(f"the snapshot's block cannot be read: {error}") from error


class EntryReader:
    """Puts the entries of a stream together again, chunk by chunk; keys must ascend."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._last = b""

    @property
    def is_complete(self) -> bool:
        """Whether the stream so far ends with an entry."""
        return not self._buffer

    def feed(self, chunk: bytes) -> list[Entry]:
        """The entries that end in this chunk. Raises BadSnapshot: a chunk of the right hash made no sense."""
        buffer = self._buffer
        buffer += chunk
        entries: list[Entry] = []
        position = 0
        while len(buffer) - position >= _HEADING:
            middle = position + _KEY_SIZE
            start = middle + _VALUE_SIZE
            key_end = start + int.from_bytes(buffer[position:middle], "big")
            value_size = int.from_bytes(buffer[middle:start], "big")
            if value_size > MAX_VALUE:
                raise BadSnapshot(f"an entry of {value_size} bytes")
            if key_end + value_size > len(buffer):
                break
            key = bytes(buffer[start:key_end])
            if key <= self._last:
                raise BadSnapshot(f"the key {key.hex()} is not after {self._last.hex()}")
            self._last = key
            entries.append((key, bytes(buffer[key_end : key_end + value_size])))
            position = key_end + value_size
        del buffer[:position]
        return entries


def snapshot_hash(metadata: bytes) -> Hash:
    """What a snapshot is called among peers."""
    return keccak256(metadata)
