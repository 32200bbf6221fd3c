"""What the parameters contract needs of others."""

from collections.abc import Mapping
from typing import Protocol

from flux.contracts.parameters.types import Parameter
from flux.primitives.types import U256


class RulesPort(Protocol):
    """The declared bounds, which the assembly of the protocol knows."""

    def parameter(self, path: str, overrides: Mapping[str, U256]) -> Parameter:
        """A number under the changes so far. Raises UnknownParameter."""
        ...

    def all(self, overrides: Mapping[str, U256]) -> list[Parameter]:
        """Every number that may be changed, by path."""
        ...

    def check(self, path: str, value: U256, overrides: Mapping[str, U256]) -> Parameter:
        """The number as it is before the change.

        Raises UnknownParameter, ParameterOutOfBounds, ParametersDisagree.
        """
        ...
