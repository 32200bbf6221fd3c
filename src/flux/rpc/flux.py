"""The flux namespace: what Ethereum has no word for. Numbers are quantities, as everywhere in this API."""

from collections.abc import Callable, Sequence

import msgspec

from flux.chain.application import Application
from flux.chain.tables import MAX_STORAGE_KEY_SIZE
from flux.chain.world import ChainWorld
from flux.kernel.abi_types import camel
from flux.kernel.context import SYSTEM_ADDRESS, ContractStorage
from flux.kernel.schedule import Clock
from flux.primitives.hexadecimal import to_hex
from flux.primitives.types import Address, Hash
from flux.rpc import format, parameters
from flux.rpc.blocks import GENESIS, get_block, state_height
from flux.rpc.errors import InvalidParameter
from flux.rpc.eth_state import MAX_PROOF_SLOTS
from flux.rpc.format import Json
from flux.rpc.methods import Table, inline, read
from flux.rpc.parameters import BlockSelector, Tag
from flux.rpc.ports import Engine

STALE_SECONDS = 60
"""A chain whose newest block is older is not healthy: even an idle one makes a block every few seconds."""


class Flux:
    """Facts about the chain and the node, protocol time, parameters, proofs of long values."""

    def __init__(self, application: Application, engine: Engine, version: str, clock: Callable[[], int]) -> None:
        self._application = application
        self._engine = engine
        self._version = version
        self._clock = clock
        self._started = clock()

    def table(self) -> Table:
        """The methods."""
        keys = parameters.list_of(storage_key, MAX_PROOF_SLOTS)
        return {
            "flux_chainInfo": inline(self.chain_info),
            "flux_params": read(self.params, parameters.block, required=0),
            "flux_health": inline(self.health),
            "flux_clock": inline(self.time, parameters.block, required=0),
            "flux_transactionStatus": read(self.transaction_status, parameters.hash32),
            "flux_getProof": read(self.proof, parameters.address, keys, parameters.block, required=2),
        }

    def chain_info(self) -> Json:
        """Which chain this is, who makes its blocks, where it stands."""
        head = self._application.ledger.head()
        return {
            "chainId": hex(self._application.chain_id),
            "engine": self._engine.name,
            "version": self._version,
            "genesisHash": to_hex(get_block(self._application, GENESIS).hash),
            "head": {"number": hex(head.number), "hash": to_hex(head.hash), "timestamp": hex(head.header.timestamp)},
        }

    def params(self, selector: BlockSelector = Tag.LATEST) -> object:
        """Every parameter as the state after a block sets it; the next block is made under those of the newest."""
        return to_json(self._application.all_params(state_height(self._application, selector)))

    def health(self) -> Json:
        """Whether blocks are being made and transactions taken, and if not, why."""
        head = self._application.ledger.head().header
        now = self._clock()
        age, standing = max(0, now - head.timestamp), now - max(head.timestamp, self._started)
        reason = self._application.suspended
        if reason is None and standing > STALE_SECONDS:
            reason = f"no block for {standing} seconds: the engine stands still, see the node's log"
        return {
            "healthy": reason is None,
            "reason": reason,
            "head": hex(head.number),
            "headAgeSeconds": hex(age),
            "pendingTransactions": hex(len(self._application.mempool)),
        }

    def time(self, selector: BlockSelector = Tag.LATEST) -> Json:
        """Header time and protocol time of a block; they differ by the gaps in which the chain stood still."""
        with self._application.ledger.state_at(state_height(self._application, selector)) as view:
            header = get_block(self._application, view.height).header
            gaps = Clock(ContractStorage(ChainWorld(view.reader), SYSTEM_ADDRESS)).gaps()
        return {
            "number": hex(header.number),
            "timestamp": hex(header.timestamp),
            "now": hex(header.timestamp - gaps),
            "gaps": hex(gaps),
        }

    def proof(self, address: Address, keys: Sequence[bytes], selector: BlockSelector = Tag.LATEST) -> Json:
        """Like eth_getProof, by storage keys as contracts name them, with each whole value beside its proof."""
        with self._application.ledger.state_at(state_height(self._application, selector)) as view:
            proven, values = view.prove_keys(address, keys)
        body = format.proof(proven, [to_hex(slot.slot) for slot in proven.slots])
        body["values"] = [None if value is None else to_hex(value) for value in values]
        return body

    def transaction_status(self, transaction_hash: Hash) -> Json:
        """Where a transaction is: committed, pending, dropped (with the reason) when its turn came, or unknown."""
        if self._application.ledger.find_transaction(transaction_hash) is not None:
            return {"status": "committed"}
        if self._application.find_pending(transaction_hash) is not None:
            return {"status": "pending"}
        dropped = self._application.find_dropped(transaction_hash)
        return {"status": "unknown"} if dropped is None else {"status": "dropped", "reason": str(dropped)}


def to_json(value: object) -> object:
    """A record as JSON: members in camel case, integers as quantities, bytes in hex."""
    match value:
        case bool() | str() | None:
            return value
        case int():
            return hex(value)
        case bytes():
            return to_hex(value)
        case tuple() | list():
            return [to_json(item) for item in value]
        case msgspec.Struct():
            return {camel(name): to_json(getattr(value, name)) for name in value.__struct_fields__}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def storage_key(value: object) -> bytes:
    """A key of a contract's storage, as a parameter."""
    key = parameters.data(value)
    if not 0 < len(key) <= MAX_STORAGE_KEY_SIZE:
        raise InvalidParameter(f"a storage key has 1 to {MAX_STORAGE_KEY_SIZE} bytes, got {len(key)}")
    return key
