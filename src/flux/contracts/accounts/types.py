"""Accounts: supply of FLUX and its ERC-20 view. Errors are those of ERC-6093."""

from dataclasses import dataclass

from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import Address, Wei


class AccountsParams(Record, frozen=True):
    """Governance parameters of the accounts contract."""

    cap: Wei
    """Hard cap of minted − burned."""


class Supply(Record, frozen=True):
    """Counters since genesis."""

    minted: Wei
    burned: Wei


class Transfer(Event, frozen=True):
    """ERC-20: FLUX moved by a call of this contract."""

    sender: Indexed[Address]
    recipient: Indexed[Address]
    value: Wei


class Approval(Event, frozen=True):
    """ERC-20: an allowance was set."""

    owner: Indexed[Address]
    spender: Indexed[Address]
    value: Wei


@dataclass(eq=False)
class ERC20InsufficientBalance(Revert):
    """{sender} holds {balance} wei and {needed} wei are needed."""

    sender: Address
    balance: Wei
    needed: Wei


@dataclass(eq=False)
class ERC20InsufficientAllowance(Revert):
    """{spender} may spend {allowance} wei and {needed} wei are needed."""

    spender: Address
    allowance: Wei
    needed: Wei


@dataclass(eq=False)
class ERC20InvalidReceiver(Revert):
    """{receiver} cannot receive FLUX."""

    receiver: Address


@dataclass(eq=False)
class ERC20InvalidSpender(Revert):
    """{spender} cannot be given an allowance."""

    spender: Address


@dataclass(eq=False)
class SupplyCapExceeded(Revert):
    """Minting {amount} wei would pass the cap of {cap} wei."""

    cap: Wei
    amount: Wei
