"""Ethereum transactions as Flux accepts them: legacy with a chain id (EIP-155), EIP-2930 and EIP-1559.

`decode` refuses everything that can be refused without state; `intrinsic_gas` prices what is paid before any work.
Nonce, balance and fees are the mempool's and the executor's to check. Encoding and signing belong to the client (sdk).
"""

from typing import TypeAlias

from flux.chain.params import ChainParams
from flux.chain.transaction_errors import (
    ContractCreation,
    GasUintOverflow,
    IntrinsicGasTooLow,
    InvalidSender,
    NonceMax,
    OversizedData,
    TipAboveFeeCap,
    Undecodable,
    UnprotectedTransaction,
    UnsupportedType,
    WrongChain,
)
from flux.primitives import rlp, signature
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, U256, Address, Gas, Hash, Nonce, Wei

LEGACY, ACCESS_LIST, DYNAMIC_FEE = 0, 1, 2

DEFAULT_MAX_BYTES = 128 * 1024
"""What Ethereum nodes accept; `ChainParams.max_transaction_bytes` decides on a chain."""

AccessList: TypeAlias = tuple[tuple[Address, tuple[Hash, ...]], ...]

_U64_END = 1 << 64
_U256_END = 1 << 256
_ITEMS = {LEGACY: 9, ACCESS_LIST: 11, DYNAMIC_FEE: 12}


class Transaction:
    """A decoded transaction. Nothing of it changes, except that `sender` is filled in by `recover`."""

    __slots__ = (
        "access_list",
        "chain_id",
        "data",
        "gas_limit",
        "hash",
        "max_fee",
        "max_priority_fee",
        "nonce",
        "r",
        "raw",
        "s",
        "sender",
        "signing_hash",
        "to",
        "type",
        "v",
        "value",
    )

    def __init__(
        self,
        type: int,
        chain_id: int,
        nonce: int,
        max_priority_fee: int,
        max_fee: int,
        gas_limit: int,
        to: bytes,
        value: int,
        data: bytes,
        access_list: AccessList,
        v: int,
        r: int,
        s: int,
        raw: bytes,
        signing_hash: Hash,
        sender: Address | None = None,
    ) -> None:
        self.type = type
        """0 legacy, 1 EIP-2930, 2 EIP-1559."""
        self.chain_id = chain_id
        """0 only in the system transaction."""
        self.nonce = Nonce(U64(nonce))
        self.max_priority_fee = Wei(U256(max_priority_fee))
        """Wei per gas; the gas price in types 0 and 1."""
        self.max_fee = Wei(U256(max_fee))
        """Wei per gas; the gas price in types 0 and 1."""
        self.gas_limit = Gas(U64(gas_limit))
        self.to = Address(to)
        self.value = Wei(U256(value))
        self.data = data
        self.access_list = access_list
        self.v = v
        """As signed: chain id * 2 + 35 + y parity in type 0, the y parity in the others."""
        self.r = r
        self.s = s
        self.raw = raw
        """The canonical encoding, type byte included."""
        self.hash: Hash = keccak256(raw)
        self.signing_hash = signing_hash
        self.sender = sender
        """Who signed, once `recover` has found out."""

    @property
    def y_parity(self) -> int:
        """0 or 1: the recovery bit of the signature."""
        return (self.v - 35) & 1 if self.type == LEGACY else self.v

    @property
    def is_free(self) -> bool:
        """Offers no fee at all, which only the protocol lane accepts."""
        return self.max_fee == 0

    @property
    def max_cost(self) -> Wei:
        """The most that the sender can lose, in wei."""
        return Wei(U256(self.gas_limit * self.max_fee + self.value))

    def effective_price(self, base_fee: Wei) -> Wei:
        """Wei per gas that the sender pays; below the base fee when the fee cap is."""
        return Wei(U256(min(self.max_fee, base_fee + self.max_priority_fee)))

    def effective_tip(self, base_fee: Wei) -> int:
        """Wei per gas that the producer gets; negative when the fee cap is below the base fee."""
        return min(self.max_priority_fee, self.max_fee - base_fee)

    def recover(self) -> Address:
        """The sender, from the signature; found once and kept. Raises InvalidSender.

        Releases the GIL for most of its time, so that several threads recover several transactions at once.
        """
        if self.sender is None:
            try:
                self.sender = signature.recover(self.signing_hash, self.y_parity, self.r, self.s)
            except signature.SignatureError as error:
                raise InvalidSender(str(error)) from error
        return self.sender

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Transaction) and self.raw == other.raw

    def __hash__(self) -> int:
        return int.from_bytes(self.hash[:8], "big")

    def __repr__(self) -> str:
        return f"Transaction(0x{self.hash.hex()}, type={self.type}, nonce={self.nonce})"


def decode(raw: bytes, chain_id: int, *, max_bytes: int = DEFAULT_MAX_BYTES) -> Transaction:
    """The transaction in its canonical encoding, signed for `chain_id`. Raises a TransactionError; recovers nothing."""
    if len(raw) > max_bytes:
        raise OversizedData(f"transaction size {len(raw)}, limit {max_bytes}")
    if not raw:
        raise Undecodable("the transaction is empty")
    lead = raw[0]
    if lead >= 0xC0:
        return _decode_legacy(raw, chain_id)
    if lead in (ACCESS_LIST, DYNAMIC_FEE):
        return _decode_typed(raw, lead, chain_id)
    raise UnsupportedType(f"type {lead}; Flux takes legacy (EIP-155), EIP-2930 and EIP-1559 transactions")


def intrinsic_gas(transaction: Transaction, params: ChainParams) -> Gas:
    """Gas charged before any work: for being there, per byte of data, per entry of the access list."""
    gas = int(data_gas(transaction.data, params))
    for _, slots in transaction.access_list:
        gas += params.gas_access_address + len(slots) * params.gas_access_slot
    return Gas(U64(gas))


def data_gas(data: bytes, params: ChainParams) -> Gas:
    """The part of it that the data decide: all of it without an access list."""
    zeros = data.count(0)
    return Gas(U64(params.gas_intrinsic + zeros * params.gas_zero_byte + (len(data) - zeros) * params.gas_nonzero_byte))


def check_intrinsic_gas(transaction: Transaction, params: ChainParams) -> None:
    """Raise IntrinsicGasTooLow if the gas limit does not even pay for the transaction's being there."""
    needed = intrinsic_gas(transaction, params)
    if transaction.gas_limit < needed:
        raise IntrinsicGasTooLow(f"gas {transaction.gas_limit}, minimum needed {needed}")


def _decode_legacy(raw: bytes, chain_id: int) -> Transaction:
    items = _list_of(raw, _ITEMS[LEGACY])
    nonce, price, gas, to, value, data, v_bytes, r_bytes, s_bytes = _strings(items)
    v = _number(v_bytes, "v", _U256_END)
    if v in (27, 28):
        raise UnprotectedTransaction("sign it with the chain id, " + str(chain_id))
    if v < 35:
        raise InvalidSender(f"invalid transaction v, r, s values: v is {v}")
    signed_for = (v - 35) >> 1
    signing = rlp.encode([nonce, price, gas, to, value, data, rlp.encode_int(signed_for), b"", b""])
    gas_price = _number(price, "gas price", _U256_END)
    return _checked(
        Transaction(
            LEGACY,
            signed_for,
            _number(nonce, "nonce", _U64_END),
            gas_price,
            gas_price,
            _number(gas, "gas limit", _U64_END),
            _recipient(to),
            _number(value, "value", _U256_END),
            data,
            (),
            v,
            _number(r_bytes, "r", _U256_END),
            _number(s_bytes, "s", _U256_END),
            raw,
            keccak256(signing),
        ),
        chain_id,
    )


def _decode_typed(raw: bytes, kind: int, chain_id: int) -> Transaction:
    items = _list_of(raw[1:], _ITEMS[kind])
    access_item = items.pop(-4)
    access_list = () if access_item == [] else _access_list(access_item)
    strings = _strings(items)
    if kind == DYNAMIC_FEE:
        signed_for, nonce, tip, cap, gas, to, value, data, y_parity, r_bytes, s_bytes = strings
    else:
        signed_for, nonce, cap, gas, to, value, data, y_parity, r_bytes, s_bytes = strings
        tip = cap
    if y_parity not in (b"", b"\x01"):
        raise InvalidSender("invalid transaction v, r, s values: the y parity is neither 0 nor 1")
    return _checked(
        Transaction(
            kind,
            _number(signed_for, "chain id", _U256_END),
            _number(nonce, "nonce", _U64_END),
            _number(tip, "max priority fee", _U256_END),
            _number(cap, "max fee", _U256_END),
            _number(gas, "gas limit", _U64_END),
            _recipient(to),
            _number(value, "value", _U256_END),
            data,
            access_list,
            len(y_parity),
            _number(r_bytes, "r", _U256_END),
            _number(s_bytes, "s", _U256_END),
            raw,
            keccak256(_signed_part(raw, kind, len(r_bytes), len(s_bytes), r_bytes, s_bytes)),
        ),
        chain_id,
    )


def _signed_part(raw: bytes, kind: int, r_size: int, s_size: int, r_bytes: bytes, s_bytes: bytes) -> bytes:
    """What was signed, cut from the canonical encoding: everything before y parity, r and s, under a new prefix."""
    signature_size = 1 + _encoded_size(r_size, r_bytes) + _encoded_size(s_size, s_bytes)
    prefix_size = 1 if raw[1] < 0xF8 else raw[1] - 0xF6
    payload = raw[1 + prefix_size : -signature_size]
    return bytes((kind,)) + rlp.list_prefix(len(payload)) + payload


def _encoded_size(size: int, item: bytes) -> int:
    return 1 if size == 1 and item < b"\x80" else 1 + size


def _checked(transaction: Transaction, chain_id: int) -> Transaction:
    if transaction.chain_id != chain_id:
        raise WrongChain(f"have {transaction.chain_id} want {chain_id}")
    if not 0 < transaction.r < signature.CURVE_ORDER:
        raise InvalidSender("invalid transaction v, r, s values: r is zero or not below the curve order")
    if not 0 < transaction.s <= signature.HALF_CURVE_ORDER:
        raise InvalidSender("invalid transaction v, r, s values: s is zero or above half the curve order (EIP-2)")
    if transaction.max_priority_fee > transaction.max_fee:
        raise TipAboveFeeCap(
            f"maxPriorityFeePerGas: {transaction.max_priority_fee}, maxFeePerGas: {transaction.max_fee}"
        )
    if transaction.nonce == _U64_END - 1:
        raise NonceMax(f"{transaction.nonce}")
    if transaction.gas_limit * transaction.max_fee >= _U256_END:
        raise GasUintOverflow("gas limit times fee exceeds 256 bits")
    return transaction


def _list_of(encoded: bytes, count: int) -> list[rlp.Rlp]:
    try:
        items = rlp.decode(encoded)
    except rlp.RlpError as error:
        raise Undecodable(str(error)) from error
    if isinstance(items, bytes):
        raise Undecodable("expected the list of a transaction's fields, got a string")
    if len(items) != count:
        raise Undecodable(f"a transaction of this type has {count} fields, got {len(items)}")
    return items


def _strings(items: list[rlp.Rlp]) -> list[bytes]:
    strings = [item for item in items if isinstance(item, bytes)]
    if len(strings) != len(items):
        raise Undecodable("a field that must be a string is a list")
    return strings


def _number(item: bytes, name: str, end: int) -> int:
    if item[:1] == b"\x00":
        raise Undecodable(f"{name} has leading zeros")
    number = int.from_bytes(item, "big")
    if number >= end:
        raise Undecodable(f"{name} has more than {(end - 1).bit_length()} bits")
    return number


def _recipient(to: bytes) -> bytes:
    if not to:
        raise ContractCreation("Flux runs no user bytecode; deploy containers with flux deploy")
    if len(to) != 20:
        raise Undecodable(f"the recipient has 20 bytes, got {len(to)}")
    return to


def _access_list(item: rlp.Rlp) -> AccessList:
    if isinstance(item, bytes):
        raise Undecodable("the access list must be a list")
    entries: list[tuple[Address, tuple[Hash, ...]]] = []
    for entry in item:
        match entry:
            case [bytes(address), list(slots)] if len(address) == 20:
                if not all(isinstance(slot, bytes) and len(slot) == 32 for slot in slots):
                    raise Undecodable("a storage key in the access list must have 32 bytes")
                entries.append((Address(address), tuple(Hash(slot) for slot in slots if isinstance(slot, bytes))))
            case _:
                raise Undecodable("an entry of the access list must be an address and a list of storage keys")
    return tuple(entries)
