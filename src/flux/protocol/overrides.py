"""Numbers by path: reading one out of the parameters, putting another in its place, checking what governance asks.

Implements the parameters contract's RulesPort over `bounds.py`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from flux.contracts.parameters.types import Parameter, ParameterOutOfBounds, ParametersDisagree, UnknownParameter
from flux.kernel.record import Record
from flux.primitives.types import U256
from flux.protocol import bounds
from flux.protocol.params import Params

R = TypeVar("R")


def leaves(value: object, path: str = "") -> Iterator[tuple[str, int]]:
    """(path, number) of every number in a record, in declaration order."""
    if isinstance(value, Record):
        for name in value.__struct_fields__:
            yield from leaves(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}.{index}")
    elif isinstance(value, int):
        yield path, int(value)


def pattern(path: str) -> str:
    """The path as `bounds.py` lists it: numbers of items become `*`."""
    return ".".join("*" if part.isdecimal() else part for part in path.split("."))


def apply(params: Params, overrides: Mapping[str, U256]) -> Params:
    """The parameters with some numbers replaced; every path must be one that `leaves` yields."""
    for path, value in overrides.items():
        params = _replaced(params, path.split("."), value)
    return params


class ParameterRules:
    """The bounds around one genesis' numbers."""

    def __init__(self, genesis: Params) -> None:
        self._genesis = genesis
        self._paths = [path for path, _ in leaves(genesis) if pattern(path) in bounds.BOUNDS]

    def parameter(self, path: str, overrides: Mapping[str, U256]) -> Parameter:
        """A number under the changes so far. Raises UnknownParameter."""
        if path not in self._paths:
            raise UnknownParameter(path)
        return self._parameter(path, dict(leaves(apply(self._genesis, overrides))))

    def all(self, overrides: Mapping[str, U256]) -> list[Parameter]:
        """Every number that may be changed, in declaration order."""
        values = dict(leaves(apply(self._genesis, overrides)))
        return [self._parameter(path, values) for path in self._paths]

    def check(self, path: str, value: U256, overrides: Mapping[str, U256]) -> Parameter:
        """The number before the change. Raises UnknownParameter, ParameterOutOfBounds, ParametersDisagree."""
        before = self.parameter(path, overrides)
        if not before.lowest <= value <= before.highest:
            raise ParameterOutOfBounds(path, value, before.lowest, before.highest)
        after = apply(self._genesis, {**overrides, path: value})
        for reason in bounds.disagreements(after):
            raise ParametersDisagree(path, value, reason)
        return before

    def _parameter(self, path: str, values: Mapping[str, int]) -> Parameter:
        bound, value = bounds.BOUNDS[pattern(path)], values[path]
        lowest = max(bound.lowest, value) if bound.only_rises else bound.lowest
        return Parameter(path, U256(value), U256(lowest), U256(bound.highest))


def _replaced(value: R, path: list[str], number: int) -> R:
    """A copy of a record or tuple with one number replaced."""
    if not path:
        return type(value)(number)  # type: ignore[call-arg]
    head, rest = path[0], path[1:]
    found: Any = value
    if isinstance(found, tuple):
        index = int(head)
        return (*found[:index], _replaced(found[index], rest, number), *found[index + 1 :])  # type: ignore[return-value]
    changed: R = msgspec.structs.replace(found, **{head: _replaced(getattr(found, head), rest, number)})
    return changed
