"""Building and signing EIP-1559 transactions on the client's side."""

from typing import NamedTuple

from flux.primitives import rlp
from flux.primitives.keccak import keccak256
from flux.primitives.types import Address, Gas, Hash, Nonce, Wei
from flux.sdk.signer import Signer

_TYPE_1559 = b"\x02"


class Fees(NamedTuple):
    """What a sender is willing to pay per gas, in wei."""

    max_fee: Wei
    max_priority_fee: Wei


class Draft(NamedTuple):
    """A transaction before its signature."""

    chain_id: int
    nonce: Nonce
    fees: Fees
    gas_limit: Gas
    to: Address
    value: Wei
    data: bytes


class Signed(NamedTuple):
    """A transaction as it goes over the wire."""

    raw: bytes
    hash: Hash


def sign_transaction(draft: Draft, signer: Signer) -> Signed:
    """Sign per EIP-1559 (type 2, empty access list)."""
    fields: list[bytes | list[bytes]] = [
        rlp.encode_int(draft.chain_id),
        rlp.encode_int(draft.nonce),
        rlp.encode_int(draft.fees.max_priority_fee),
        rlp.encode_int(draft.fees.max_fee),
        rlp.encode_int(draft.gas_limit),
        draft.to,
        rlp.encode_int(draft.value),
        draft.data,
        [],
    ]
    signature = signer.sign_hash(keccak256(_TYPE_1559 + rlp.encode(fields)))
    fields += [rlp.encode_int(signature.y_parity), rlp.encode_int(signature.r), rlp.encode_int(signature.s)]
    raw = _TYPE_1559 + rlp.encode(fields)
    return Signed(raw, keccak256(raw))
