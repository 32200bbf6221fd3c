"""Funded accounts of a benchmark's chain, and transfers between them, signed beforehand."""

from collections.abc import Iterator, Sequence

from flux.contracts.validators.types import FirstValidator
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, U256, Address, Gas, Nonce, Timestamp, Wei, flux
from flux.protocol import chain_ids
from flux.protocol.genesis import Allocation, Genesis, local
from flux.protocol.params import DEFAULT, Params
from flux.sdk.transaction import Draft, Fees, Signed, sign_transaction
from flux.wallet.local_key import LocalKey

FEES = Fees(Wei(U256(1_000 * 10**9)), Wei(U256(10**9)))
_TRANSFER_GAS = Gas(U64(21_000))
_FUNDS = flux(10_000)


def make_keys(count: int) -> list[LocalKey]:
    """The same keys each time."""
    return [LocalKey(keccak256(b"flux bench account %d" % number)) for number in range(count)]


def make_genesis(
    keys: Sequence[LocalKey], timestamp: int, params: Params = DEFAULT, validators: Sequence[FirstValidator] = ()
) -> Genesis:
    """A local chain on which the keys' accounts hold FLUX."""
    extra = [Allocation(key.address, _FUNDS, "bench") for key in keys]
    return local(Timestamp(U64(timestamp)), params, extra, validators)


def sign_transfers(keys: Sequence[LocalKey], first_nonce: int, count: int) -> Iterator[Signed]:
    """`count` transfers of 1 wei (EIP-1559), by the accounts in turn, each to the next one."""
    for number in range(count):
        round_, index = divmod(number, len(keys))
        target = keys[(index + 1) % len(keys)].address
        yield sign_call(keys[index], first_nonce + round_, target, b"", 1, _TRANSFER_GAS)


def sign_call(key: LocalKey, nonce: int, to: Address, data: bytes, value: int, gas: Gas) -> Signed:
    """One transaction."""
    draft = Draft(chain_ids.LOCAL, Nonce(U64(nonce)), FEES, gas, to, Wei(U256(value)), data)
    return sign_transaction(draft, key)
