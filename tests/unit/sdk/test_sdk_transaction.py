"""What the SDK signs is what another Ethereum library signs and reads."""

from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes
from hypothesis import given, settings
from hypothesis import strategies as st

from flux.primitives.address import to_text
from flux.primitives.types import U64, U256, Address, Gas, Nonce, Wei
from flux.sdk.signer import LocalSigner
from flux.sdk.transaction import Draft, Fees, sign_transaction

KEY = b"\x11" * 32


@settings(max_examples=30)
@given(
    st.integers(0, 2**64 - 2), st.integers(0, 2**100), st.integers(0, 2**40), st.integers(0, 2**200),
    st.binary(max_size=100), st.binary(min_size=20, max_size=20),
)  # fmt: skip
def test_a_signed_transaction_is_byte_for_byte_that_of_eth_account(
    nonce: int, fee: int, tip: int, value: int, data: bytes, to: bytes
) -> None:
    tip = min(tip, fee)
    fees = Fees(Wei(U256(fee)), Wei(U256(tip)))
    draft = Draft(19169, Nonce(U64(nonce)), fees, Gas(U64(50_000)), Address(to), Wei(U256(value)), data)
    signed = sign_transaction(draft, LocalSigner(KEY))
    fields = {
        "type": 2, "chainId": 19169, "nonce": nonce, "maxFeePerGas": fee, "maxPriorityFeePerGas": tip,
        "gas": 50_000, "to": to_text(to), "value": value, "data": data,
    }  # fmt: skip
    reference = Account.sign_transaction(fields, KEY)
    assert signed.raw == bytes(reference.raw_transaction)
    assert signed.hash == bytes(reference.hash)
    assert TypedTransaction.from_bytes(HexBytes(signed.raw)).transaction_type == 2


def test_a_signer_does_not_show_its_key() -> None:
    signer = LocalSigner(KEY)
    assert KEY.hex() not in repr(signer)
    assert to_text(signer.address) == Account.from_key(KEY).address
