"""Pure decisions of the votes contract."""

from typing import Final

from flux.contracts.votes.types import Holding
from flux.primitives.types import NO_WEI, U16, U256

NAME: Final = "Flux Votes"
VERSION: Final = "1"
CLOCK_MODE: Final = "mode=timestamp"
NOTHING: Final = Holding(NO_WEI, NO_WEI, NO_WEI, U16(0))
AFTER_ALL: Final = b"\xff" * 9
"""Key part behind every time."""


def units(holding: Holding) -> int:
    """Votes of a holding, one per wei."""
    return holding.locked + holding.bonded


def after(timepoint: U256) -> bytes:
    """Key part right behind a time, which is past and so below 2**64."""
    return (timepoint + 1).to_bytes(8, "big")
