"""Storage of the parameters contract."""

from flux.contracts.parameters.types import Override, Upgrade
from flux.kernel.storage import Map, State, Value
from flux.primitives.types import U32, Hash

GENESIS_DIGEST = Hash(bytes(32))
"""Digest while nothing was ever changed."""


class ParametersState(State):
    """Changes since genesis."""

    digest = Value(b"\x01", Hash, GENESIS_DIGEST)
    """Keccak of everything else here: whoever holds what derives from these changes sees by it that it still holds."""
    overrides: Map[str, Override] = Map(b"\x02", str, Override)
    """Numbers by path."""
    upgrades: Map[U32, Upgrade] = Map(b"\x03", U32, Upgrade)
    """By fork number from 1, in the order of their times."""
