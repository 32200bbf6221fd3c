"""What the governor needs of others."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from flux.kernel.context import Context
from flux.kernel.errors import Revert
from flux.primitives.types import U256, Address, Wei


class Action(NamedTuple):
    """One call that a proposal makes."""

    target: Address
    data: bytes


class VotesPort(Protocol):
    """Voting power and what is locked for it."""

    def get_past_votes(self, ctx: Context, account: Address, timepoint: U256) -> U256:
        """Power at a time that is past. Raises ERC5805FutureLookup."""
        ...

    def get_past_total_supply(self, ctx: Context, timepoint: U256) -> U256:
        """All power at a time that is past. Raises ERC5805FutureLookup."""
        ...

    def hold(self, ctx: Context, account: Address, amount: Wei) -> bool:
        """Keep part of what the account has locked; False when too little is."""
        ...

    def release(self, ctx: Context, account: Address, amount: Wei) -> None:
        """Give it back."""
        ...

    def forfeit(self, ctx: Context, account: Address, amount: Wei) -> None:
        """Hand it to the treasury."""
        ...


class CallsPort(Protocol):
    """The contracts, called as the Governor; only methods that are declared `governed` can be."""

    def is_governed(self, action: Action) -> bool:
        """Whether the call names such a method."""
        ...

    def run(self, ctx: Context, actions: Sequence[Action]) -> None:
        """Make the calls. Raises what they raise."""
        ...

    def rehearse(self, ctx: Context, actions: Sequence[Action]) -> None:
        """Make the calls and take everything back. Raises what they raise."""
        ...

    def attempt(self, ctx: Context, actions: Sequence[Action]) -> Revert | None:
        """Make all calls or none; why not, when none. A bug met on the way counts as a refusal."""
        ...
