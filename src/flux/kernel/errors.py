"""Typed failures of contract calls. Each subclass is a Solidity custom error with its fields.

A contract raises one and the whole transaction is dropped; the client receives selector and fields (`call.py`).
"""

from dataclasses import dataclass

from flux.primitives.types import Address, Wei


class Revert(Exception):
    """Base of every contract error. Subclasses are `@dataclass(eq=False)` with ABI-typed fields and a docstring.

    The docstring's first line is the sentence the command line prints; `{field}` in it is replaced by the fact.
    """

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({facts})"


@dataclass(eq=False)
class UnknownMethod(Revert):
    """The contract has no method with selector {selector}; check the ABI in schemas/."""

    selector: bytes


@dataclass(eq=False)
class BadArguments(Revert):
    """The call data does not decode: {reason}."""

    reason: str


@dataclass(eq=False)
class NotPayable(Revert):
    """This method takes no FLUX but {value} wei were sent."""

    value: Wei


@dataclass(eq=False)
class InsufficientBalance(Revert):
    """Account {account} holds {available} wei and {required} wei are needed."""

    account: Address
    available: Wei
    required: Wei


@dataclass(eq=False)
class Unauthorized(Revert):
    """{caller} may not do this; only {required} may."""

    caller: Address
    required: Address


COMMON_ERRORS: tuple[type[Revert], ...] = (UnknownMethod, BadArguments, NotPayable, InsufficientBalance, Unauthorized)
