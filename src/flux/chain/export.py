"""A chain as one stream of bytes: out of one database, and into another by executing every block again.

The stream is MessagePack objects one after the other: a heading, then each block's header, transactions and consensus
info, each with its size before it. Importing trusts nothing: signatures are recovered, blocks executed, headers must
come out equal.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from flux.chain.application import Application, BadBlock, FinalizedBlock
from flux.chain.block import CorruptBlock, Header, decode_header
from flux.chain.consensus_info import ConsensusInfo, CorruptInfo, decode_info, encode_info
from flux.chain.history import HistoryPruned
from flux.chain.ledger import Ledger
from flux.chain.system_transaction import info_of
from flux.chain.transaction import decode
from flux.chain.transaction_errors import TransactionError
from flux.primitives.types import U64, Height

_MAGIC = "flux chain"
_VERSION = 2
FIRST = Height(U64(1))
"""Genesis is not exported: every database makes its own from the genesis file."""
_MAX_ITEM = 256 * 1024 * 1024
"""Bytes of one block in the stream."""

_pack = msgspec.msgpack.Encoder().encode
_heading = msgspec.msgpack.Decoder(tuple[str, int, int, bytes]).decode
_item = msgspec.msgpack.Decoder(tuple[bytes, list[bytes], bytes]).decode


class ImportFailed(ValueError):
    """The stream is not the continuation of this chain; the text says from which block on."""


def export_chain(ledger: Ledger, *, first: Height = FIRST) -> Iterator[bytes]:
    """The chain from `first` to the newest block, in pieces; each piece has its size in 4 bytes before it.

    Raises HistoryPruned when `first` is no longer kept.
    """
    genesis = ledger.find_block(Height(U64(0)))
    assert genesis is not None, "a ledger that is open has a genesis block"
    last = ledger.head().number
    if first < ledger.first_block:
        raise HistoryPruned(first, ledger.first_block)
    yield _framed(_pack((_MAGIC, _VERSION, first, genesis.hash)))
    for number in range(first, last + 1):
        block = ledger.find_block(Height(U64(number)))
        assert block is not None, "from the first block kept on, all are there"
        *sent, system = block.transactions
        info = encode_info(info_of(system))
        yield _framed(_pack((block.header.encode(), [transaction.raw for transaction in sent], info)))


def import_chain(application: Application, stream: Iterable[bytes]) -> Height:
    """Execute and commit the blocks of an export that this chain does not have yet; the height reached.

    `stream` may be cut into pieces anywhere. Raises ImportFailed at the first block that does not come out as exported;
    the blocks before it stay.
    """
    items = _items(stream)
    _check_heading(application, next(items, b""))
    for item in items:
        head = application.ledger.head()
        try:
            encoded_header, raws, info = _item(item)
            header = decode_header(encoded_header)
            if header.number > head.number:
                application.commit(_executed(application, header, raws, decode_info(info)))
                continue
        except (msgspec.MsgspecError, CorruptBlock, CorruptInfo, BadBlock, TransactionError) as error:
            raise ImportFailed(f"what follows block {head.number} is damaged: {error}") from error
        own = application.ledger.find_block(header.number)
        if own is None or own.hash != header.hash:
            raise ImportFailed(f"block {header.number} is another one here: the chains parted before it")
    return application.ledger.head().number


def _executed(application: Application, header: Header, raws: Sequence[bytes], info: ConsensusInfo) -> FinalizedBlock:
    """The block after the head, computed anew; it must have the exported header."""
    head = application.ledger.head().number
    if header.number != head + 1:
        raise ImportFailed(f"block {header.number} cannot follow block {head}; import the blocks between them first")
    transactions = [decode(raw, application.chain_id, max_bytes=len(raw)) for raw in raws]
    finalized = application.finalize(transactions, header.timestamp, header.producer, info)
    if finalized.block.hash != header.hash:
        raise ImportFailed(
            f"block {header.number} comes out differently ({len(finalized.dropped)} transactions invalid, state "
            f"root {finalized.block.header.state_root.hex()} instead of {header.state_root.hex()}); was it made by "
            "another version, or damaged?"
        )
    return finalized


def _check_heading(application: Application, item: bytes) -> None:
    try:
        magic, version, _, genesis = _heading(item)
    except msgspec.MsgspecError as error:
        raise ImportFailed("this is not an exported Flux chain") from error
    if magic != _MAGIC or version != _VERSION:
        raise ImportFailed(f"this is not an exported Flux chain of version {_VERSION}")
    own = application.ledger.find_block(Height(U64(0)))
    if own is None or own.hash != genesis:
        raise ImportFailed("the export is of a chain with another genesis; use its genesis file")


def _framed(item: bytes) -> bytes:
    return len(item).to_bytes(4, "big") + item


def _items(stream: Iterable[bytes]) -> Iterator[bytes]:
    """The framed items of a stream that arrives in pieces of any size."""
    buffer = bytearray()
    for piece in stream:
        buffer += piece
        while len(buffer) >= 4:
            size = int.from_bytes(buffer[:4], "big")
            if size > _MAX_ITEM:
                raise ImportFailed(f"an item of {size} bytes: this is not an exported Flux chain, or it is damaged")
            if len(buffer) < 4 + size:
                break
            yield bytes(buffer[4 : 4 + size])
            del buffer[: 4 + size]
    if buffer:
        raise ImportFailed("the stream ends in the middle of a block; the blocks before it were imported")
