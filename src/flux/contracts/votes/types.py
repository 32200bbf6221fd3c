"""Votes: who holds how much voting power, and when (ERC-5805, ERC-6372). Names are OpenZeppelin's where it has one."""

from dataclasses import dataclass

from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U16, U48, U256, Address, ChainTime, Seconds, Wei


class VotesParams(Record, frozen=True):
    """Governance parameters of voting power."""

    unlock_delay: Seconds
    """FLUX comes back this long after it was unlocked; its power is gone at once."""
    max_unlocks: U16
    """Amounts of one account on their way back at a time."""


class Checkpoint(Record, frozen=True):
    """Voting power from a time on."""

    votes: Wei


class Holding(Record, frozen=True):
    """What gives an account its power."""

    locked: Wei
    """FLUX locked here."""
    bonded: Wei
    """Own and delegated stake elsewhere, as the staking contract reports it."""
    held: Wei
    """Part of what is locked that stands for the deposits of its open proposals."""
    unlocks: U16
    """Amounts on their way back."""


class Unlock(Record, frozen=True):
    """FLUX on its way back."""

    account: Address
    amount: Wei
    due: ChainTime


class Locked(Event, frozen=True):
    """FLUX was locked to vote."""

    account: Indexed[Address]
    amount: Wei


class UnlockStarted(Event, frozen=True):
    """Power was given up; the FLUX follows."""

    account: Indexed[Address]
    amount: Wei
    due: ChainTime


class Unlocked(Event, frozen=True):
    """FLUX came back."""

    account: Indexed[Address]
    amount: Wei


class DepositForfeited(Event, frozen=True):
    """The deposit of a proposal that was voted down as abuse went to the treasury."""

    account: Indexed[Address]
    amount: Wei


class DelegateChanged(Event, frozen=True):
    """ERC-5805: an account's power is voted by another from now on."""

    delegator: Indexed[Address]
    from_delegate: Indexed[Address]
    to_delegate: Indexed[Address]


class DelegateVotesChanged(Event, frozen=True):
    """ERC-5805: what a delegate may vote with changed."""

    delegate: Indexed[Address]
    previous_votes: U256
    new_votes: U256


@dataclass(eq=False)
class NothingToLock(Revert):
    """No FLUX was sent; send the amount to lock as the value."""


@dataclass(eq=False)
class NotLocked(Revert):
    """{account} can unlock {available} wei and not {amount}; deposits of open proposals stay locked."""

    account: Address
    available: Wei
    amount: Wei


@dataclass(eq=False)
class TooManyUnlocks(Revert):
    """{account} has {limit} amounts on their way back already; wait for one, or unlock more at once."""

    account: Address
    limit: U16


@dataclass(eq=False)
class InvalidDelegate(Revert):
    """The zero address cannot vote; to vote yourself, delegate to yourself."""


@dataclass(eq=False)
class ERC5805FutureLookup(Revert):
    """Votes at {timepoint} are not settled before it is past; the clock says {clock}."""

    timepoint: U256
    clock: U48


@dataclass(eq=False)
class VotesExpiredSignature(Revert):
    """The signature was good until {expiry} only."""

    expiry: U256


@dataclass(eq=False)
class InvalidAccountNonce(Revert):
    """The signature's nonce is not {current_nonce}, which is next for {account}."""

    account: Address
    current_nonce: U256


@dataclass(eq=False)
class ECDSAInvalidSignature(Revert):
    """No key can have made this signature."""
