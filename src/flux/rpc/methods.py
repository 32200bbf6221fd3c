"""What a method is to the dispatcher: its handler, the parsers of its parameters, and where it runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from flux.rpc.errors import InvalidParameter, invalid_params
from flux.rpc.parameters import Parse


class Place(Enum):
    """Where a method runs, which decides what it can hold up."""

    INLINE = "inline"
    """In the event loop: microseconds, no search, no contract code."""
    READ = "read"
    """In the threads for reads: contract calls, blocks, receipts, proofs."""
    SCAN = "scan"
    """In the threads for searches over many blocks, so that those hold up nothing but each other."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method with positional parameters."""

    handler: Callable[..., object]
    """Takes the parsed parameters; missing optional ones are left to its defaults. Must be safe in any thread."""
    parsers: tuple[Parse[Any], ...] = ()
    required: int = 0
    place: Place = Place.INLINE

    def arguments(self, params: Sequence[object]) -> list[object]:
        """The parsed parameters. Raises RpcError."""
        return parse_arguments(params, self.parsers, self.required)


Table: TypeAlias = Mapping[str, Method]
"""Methods by their JSON-RPC names."""


def inline(handler: Callable[..., object], *parsers: Parse[Any], required: int | None = None) -> Method:
    """A method that runs in the event loop. All parameters are required unless `required` says fewer."""
    return Method(handler, parsers, len(parsers) if required is None else required, Place.INLINE)


def read(handler: Callable[..., object], *parsers: Parse[Any], required: int | None = None) -> Method:
    """A method that runs in the threads for reads."""
    return Method(handler, parsers, len(parsers) if required is None else required, Place.READ)


def scan(handler: Callable[..., object], *parsers: Parse[Any], required: int | None = None) -> Method:
    """A method that runs in the threads for searches."""
    return Method(handler, parsers, len(parsers) if required is None else required, Place.SCAN)


def parse_arguments(params: Sequence[object], parsers: Sequence[Parse[Any]], required: int) -> list[object]:
    """The parsed parameters, trailing nulls counting as missing. Raises RpcError in go-ethereum's words."""
    given = list(params)
    while len(given) > required and given[-1] is None:
        given.pop()
    if len(given) > len(parsers):
        raise invalid_params(f"too many arguments, want at most {len(parsers)}")
    if len(given) < required:
        raise invalid_params(f"missing value for required argument {len(given)}")
    arguments: list[object] = []
    for index, (parse, value) in enumerate(zip(parsers, given, strict=False)):
        try:
            arguments.append(parse(value))
        except InvalidParameter as error:
            raise invalid_params(f"invalid argument {index}: {error}") from error
    return arguments
