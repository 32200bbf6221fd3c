"""The ten accounts of the well-known development mnemonic: funded on a local chain, refused on every other."""

from functools import cache

from flux.primitives.types import Address
from flux.wallet.derivation import key_of_mnemonic
from flux.wallet.errors import DevelopmentKeyRefused
from flux.wallet.local_key import LocalKey

MNEMONIC = "test test test test test test test test test test test junk"
COUNT = 10
LOCAL_CHAIN_ID = 19169


def check_development_key_allowed(chain_id: int) -> None:
    """Raises DevelopmentKeyRefused on any chain but a local one."""
    if chain_id != LOCAL_CHAIN_ID:
        raise DevelopmentKeyRefused(
            f"the development keys are known to everybody, so they are refused on chain {chain_id} (only the local "
            f"chain {LOCAL_CHAIN_ID} takes them): make a key of your own with `flux wallet new`"
        )


def check_account_allowed(address: Address, chain_id: int) -> None:
    """Raises DevelopmentKeyRefused when the address is a development account and the chain is not a local one."""
    if is_development_address(address):
        check_development_key_allowed(chain_id)


def is_development_address(address: Address) -> bool:
    """Whether everybody knows the key of this address."""
    return any(key.address == address for key in _keys())


def development_key(index: int, chain_id: int) -> LocalKey:
    """The key of development account `index` (0 to 9), for a local chain only."""
    check_development_key_allowed(chain_id)
    if not 0 <= index < COUNT:
        raise DevelopmentKeyRefused(f"there are {COUNT} development accounts, 0 to {COUNT - 1}, asked for {index}")
    return _keys()[index]


def development_addresses() -> tuple[Address, ...]:
    """The addresses of all development accounts."""
    return tuple(key.address for key in _keys())


@cache
def _keys() -> tuple[LocalKey, ...]:
    return tuple(LocalKey(key_of_mnemonic(MNEMONIC, index=index)) for index in range(COUNT))
