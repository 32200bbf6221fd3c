"""eth_*: accounts, contract calls and proofs, at the newest state or one of those before it."""

from flux.chain.application import Application
from flux.chain.simulation import CallRequest
from flux.primitives.hexadecimal import to_hex
from flux.primitives.types import U64, U256, Address, Gas, Hash, Height, Wei
from flux.rpc import format, parameters
from flux.rpc.blocks import state_height
from flux.rpc.errors import ErrorNames, InvalidParameter, reverted
from flux.rpc.format import Json
from flux.rpc.methods import Table, inline, read
from flux.rpc.parameters import BlockSelector, Tag

MAX_PROOF_SLOTS = 1_024
"""In one eth_getProof."""

_USED = frozenset(("from", "to", "gas", "value", "data", "input"))
_IGNORED = frozenset(("gasPrice", "maxFeePerGas", "maxPriorityFeePerGas", "nonce", "type", "chainId", "accessList"))
_NOBODY = Address(bytes(20))


class State:
    """Reads of state."""

    def __init__(self, application: Application, error_names: ErrorNames) -> None:
        self._application = application
        self._names = error_names

    def table(self) -> Table:
        """The methods."""
        address, block = parameters.address, parameters.block
        slots = parameters.list_of(_slot, MAX_PROOF_SLOTS)
        return {
            "eth_getBalance": inline(self.balance, address, block, required=1),
            "eth_getTransactionCount": inline(self.transaction_count, address, block, required=1),
            "eth_getCode": inline(self.code, address, block, required=1),
            "eth_getStorageAt": read(self.storage_at, address, parameters.slot, block, required=2),
            "eth_call": read(self.call, call_request, block, _no_overrides, required=1),
            "eth_estimateGas": read(self.estimate_gas, call_request, block, _no_overrides, required=1),
            "eth_getProof": read(self.proof, address, slots, block, required=2),
        }

    def balance(self, address: Address, selector: BlockSelector = Tag.LATEST) -> str:
        """Wei that an account holds."""
        with self._application.ledger.state_at(self._height(selector)) as view:
            return hex(view.balance(address))

    def transaction_count(self, address: Address, selector: BlockSelector = Tag.LATEST) -> str:
        """The next nonce; with "pending", transactions that wait are counted."""
        if selector is Tag.PENDING:
            return hex(self._application.pending_nonce(address))
        with self._application.ledger.state_at(self._height(selector)) as view:
            return hex(view.nonce(address))

    def code(self, address: Address, selector: BlockSelector = Tag.LATEST) -> str:
        """What stands for a contract's code; "0x" for every other account."""
        self._height(selector)
        return to_hex(self._application.code(address))

    def storage_at(self, address: Address, slot: Hash, selector: BlockSelector = Tag.LATEST) -> str:
        """The storage trie's value under a slot, padded to 32 bytes; the keccak of one that is longer."""
        with self._application.ledger.state_at(self._height(selector)) as view:
            return to_hex((view.storage(address, slot) or b"").rjust(32, b"\0"))

    def call(self, request: CallRequest, selector: BlockSelector = Tag.LATEST, overrides: None = None) -> str:
        """What a contract method returns. A refusal is error 3 with the custom error as data."""
        result = self._application.call(request, self._height(selector))
        if result.revert_data is not None:
            raise reverted(result.revert_data, self._names)
        return to_hex(result.return_data)

    def estimate_gas(self, request: CallRequest, selector: BlockSelector = Tag.LATEST, overrides: None = None) -> str:
        """A gas limit with which the transaction would succeed."""
        return hex(self._application.estimate_gas(request, self._height(selector)))

    def proof(self, address: Address, slots: list[tuple[str, Hash]], selector: BlockSelector = Tag.LATEST) -> Json:
        """An account and some of its slots with Merkle proofs against the block's state root."""
        with self._application.ledger.state_at(self._height(selector)) as view:
            proven = view.prove(address, [slot for _, slot in slots])
        return format.proof(proven, [key for key, _ in slots])

    def _height(self, selector: BlockSelector) -> Height | None:
        return state_height(self._application, selector)


def call_request(value: object) -> CallRequest:
    """A transaction object as eth_call takes it. Fees and nonce are accepted and play no part in a call."""
    members = parameters.members(value, _USED | _IGNORED)
    if "to" not in members:
        raise InvalidParameter("contract creation is not supported: `to` is missing, Flux runs no user bytecode")
    data, alternative = (parameters.data(members[name]) if name in members else None for name in ("input", "data"))
    if data is not None and alternative is not None and data != alternative:
        raise InvalidParameter('both "data" and "input" are set and not equal; use "input"')
    return CallRequest(
        to=parameters.address(members["to"]),
        data=data or alternative or b"",
        sender=parameters.address(members["from"]) if "from" in members else _NOBODY,
        value=parameters.wei(members["value"]) if "value" in members else Wei(U256(0)),
        gas=Gas(U64(parameters.quantity64(members["gas"]))) if "gas" in members else None,
    )


def _slot(value: object) -> tuple[str, Hash]:
    """A slot and how the client wrote it, which the answer repeats."""
    slot = parameters.slot(value)
    return str(value), slot


def _no_overrides(value: object) -> None:
    if value not in (None, {}, []):
        raise InvalidParameter("state and block overrides are not supported")
