"""Which block a request means: from tags, numbers and hashes to blocks and heights of the ledger."""

from flux.chain.application import Application
from flux.chain.block import Block
from flux.primitives.types import U64, Height
from flux.rpc.errors import header_not_found
from flux.rpc.parameters import BlockSelector, Tag

GENESIS = Height(U64(0))


def find_block(application: Application, selector: BlockSelector) -> Block | None:
    """The block; the newest one stands for everything that is pending, since blocks are final at once."""
    match selector:
        case Tag.EARLIEST:
            return application.ledger.find_block(GENESIS)
        case Tag():
            return application.ledger.head()
        case bytes():
            return application.ledger.find_block_by_hash(selector)
    head = application.ledger.head()
    return head if selector == head.number else application.ledger.find_block(selector)


def get_block(application: Application, selector: BlockSelector) -> Block:
    """The block. Raises RpcError, "header not found"."""
    found = find_block(application, selector)
    if found is None:
        raise header_not_found()
    return found


def state_height(application: Application, selector: BlockSelector) -> Height | None:
    """The height whose state is meant, None for the newest. Raises RpcError, "header not found"."""
    match selector:
        case Tag.EARLIEST:
            return GENESIS
        case Tag():
            return None
        case bytes():
            return get_block(application, selector).number
    head = application.ledger.head().number
    if selector > head:
        raise header_not_found()
    return None if selector == head else selector


def height(application: Application, selector: BlockSelector) -> Height:
    """The number that is meant, which need not exist yet. Raises RpcError for an unknown hash."""
    match selector:
        case Tag.EARLIEST:
            return GENESIS
        case Tag():
            return application.ledger.head().number
        case bytes():
            return get_block(application, selector).number
    return selector
