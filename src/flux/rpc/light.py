"""flux_*: what a client needs to believe nobody but validators: light blocks, headers, and what proofs do not carry."""

from itertools import islice

from flux.chain import tables
from flux.chain.application import Application
from flux.chain.simulation import CallRequest
from flux.chain.store import end_of_prefix
from flux.primitives.hexadecimal import to_hex
from flux.primitives.types import Address
from flux.rpc import parameters
from flux.rpc.blocks import get_block, state_height
from flux.rpc.errors import NOT_VERIFIABLE, InvalidParameter, RpcError
from flux.rpc.eth_state import call_request
from flux.rpc.flux import storage_key
from flux.rpc.format import Json
from flux.rpc.methods import Table, inline, read, scan
from flux.rpc.parameters import BlockSelector, Tag
from flux.rpc.ports import LightBlocks

PAGE_BYTES = 1_000_000
"""Of keys and values in one answer of flux_storage."""
MAX_ACCESSED = 20_000
"""Keys that flux_accessList names; a call that reads more is named as far as that."""


class Light:
    """Served alike by every node; only light blocks need an engine whose blocks many sign."""

    def __init__(self, application: Application, light_blocks: LightBlocks | None, genesis: str | None) -> None:
        self._application = application
        self._light_blocks = light_blocks
        self._genesis = genesis

    def table(self) -> Table:
        """The methods. What asks the engine's own server may wait for it, so it runs where it holds up no reads."""
        address, block = parameters.address, parameters.block
        return {
            "flux_genesis": inline(lambda: self._genesis),
            "flux_lightBlock": scan(self.light_block, parameters.quantity64, required=0),
            "flux_peers": scan(self.peers),
            "flux_header": read(self.header, block, required=0),
            "flux_accessList": read(self.access_list, call_request, block, required=1),
            "flux_storage": read(self.storage, address, _after, block, required=1),
        }

    def light_block(self, height: int | None = None) -> object:
        """CometBFT's signed header and validators of a height; its app hash is the hash of our block before it."""
        try:
            return self._source().light_block(height)
        except LookupError as error:
            raise InvalidParameter(str(error)) from error

    def peers(self) -> object:
        """Nodes that a new one can connect to."""
        try:
            return self._source().peers()
        except LookupError as error:
            raise InvalidParameter(str(error)) from error

    def _source(self) -> LightBlocks:
        if self._light_blocks is None:
            raise RpcError(NOT_VERIFIABLE, "this chain has one producer; nothing can be verified")
        return self._light_blocks

    def header(self, selector: BlockSelector = Tag.LATEST) -> str:
        """A block's header in RLP; its keccak is the block's hash."""
        return to_hex(get_block(self._application, selector).header.encode())

    def access_list(self, request: CallRequest, selector: BlockSelector = Tag.LATEST) -> Json:
        """What a call reads, a hint to whoever runs it over proofs: keys by account, and contracts walked through."""
        accessed = self._application.accessed(request, state_height(self._application, selector))
        pairs = ((address, key) for address, keys in accessed.keys.items() for key in keys)
        keys: dict[Address, list[str]] = {address: [] for address in accessed.keys}
        for address, key in islice(pairs, MAX_ACCESSED):
            keys[address].append(to_hex(key))
        return {
            "accounts": [{"address": to_hex(address), "keys": named} for address, named in keys.items()],
            "walked": [to_hex(address) for address in accessed.walked],
        }

    def storage(self, address: Address, after: bytes = b"", selector: BlockSelector = Tag.LATEST) -> Json:
        """A contract's whole storage, page by page: keys and values after a key, in order; `next` asks for more."""
        prefix = tables.storage(address, b"")
        entries: list[list[str]] = []
        size = 0
        following: bytes | None = None
        with self._application.ledger.state_at(state_height(self._application, selector)) as view:
            for key, value in view.reader.range(prefix + after + b"\0" if after else prefix, end_of_prefix(prefix)):
                own = key[len(prefix) :]
                entries.append([to_hex(own), to_hex(value)])
                size += len(own) + len(value)
                if size >= PAGE_BYTES:
                    following = own
                    break
        return {"entries": entries, "next": None if following is None else to_hex(following)}


def _after(value: object) -> bytes:
    return b"" if value == "0x" else storage_key(value)
