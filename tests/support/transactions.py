"""Transactions for tests: really signed ones, and ones that only look so where nobody checks the signature."""

from eth_account import Account

from flux.chain.params import ChainParams
from flux.chain.transaction import DYNAMIC_FEE, Transaction
from flux.primitives.types import U16, U32, U64, U256, Address, Gas, Hash, Seconds, Wei

CHAIN_ID = 19169
KEY = bytes.fromhex("11" * 32)
RECIPIENT = "0x" + "22" * 20
GWEI = 10**9

PARAMS = ChainParams(
    block_gas_limit=Gas(U64(300_000_000)),
    lane_gas_limit=Gas(U64(100_000_000)),
    max_block_bytes=U32(8 * 1024 * 1024),
    max_transaction_bytes=U32(256 * 1024),
    min_base_fee=Wei(U256(GWEI)),
    gas_target_per_second=Gas(U64(150_000_000)),
    base_fee_update_fraction=U64(5_000_000_000),
    gap_limit=Seconds(U64(30)),
    gas_intrinsic=U32(21_000),
    gas_zero_byte=U16(4),
    gas_nonzero_byte=U16(16),
    gas_access_address=U16(2_400),
    gas_access_slot=U16(1_900),
    gas_stored_byte=U16(50),
    call_gas_limit=Gas(U64(300_000_000)),
)
"""Chain parameters for tests that need no protocol."""


def signed(private_key: bytes = KEY, **fields: object) -> bytes:
    """The encoding of a transfer by eth-account, EIP-1559 unless the fields say otherwise."""
    body: dict[str, object] = {"chainId": CHAIN_ID, "nonce": 0, "gas": 21_000, "to": RECIPIENT, "value": 1, "data": b""}
    body |= fields
    if "gasPrice" not in body:
        body = {"maxFeePerGas": 2 * GWEI, "maxPriorityFeePerGas": GWEI} | body
    return bytes(Account.sign_transaction(body, private_key).raw_transaction)


def waiting(
    sender: int,
    nonce: int,
    *,
    tip: int = GWEI,
    cap: int | None = None,
    value: int = 0,
    gas: int = 21_000,
    size: int = 100,
) -> Transaction:
    """A transaction whose sender is known, for the mempool. A cap of 0 makes it a free one."""
    raw = b"".join(number.to_bytes(16, "big") for number in (sender, nonce, tip, cap or 0, value, gas, cap is None))
    return Transaction(
        DYNAMIC_FEE,
        CHAIN_ID,
        nonce,
        0 if cap == 0 else tip,
        tip + 10 * GWEI if cap is None else cap,
        gas,
        bytes(20),
        value,
        b"",
        (),
        0,
        1,
        1,
        raw.ljust(size, b"\0"),
        Hash(bytes(32)),
        address(sender),
    )


def address(number: int) -> Address:
    """A made-up account."""
    return Address(number.to_bytes(20, "big"))
