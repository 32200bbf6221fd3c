"""The upgrades that this software knows, in the order in which a chain takes them. Position is the fork number.

Governance schedules an upgrade by name and time (`contracts/parameters`). A method declared with `fork=n` exists from
upgrade n on. Software that meets the time of an upgrade it does not know stops before the block.
"""

from collections.abc import Sequence
from typing import Final

from flux import __version__
from flux.chain.ports import UpgradeRequired
from flux.contracts.parameters.types import Upgrade
from flux.primitives.types import ChainTime

FORKS: Final[tuple[str, ...]] = ("genesis",)


def active_fork(upgrades: Sequence[Upgrade], now: ChainTime, known: Sequence[str] = FORKS) -> int:
    """Number of the newest upgrade whose time has come.

    Raises UpgradeRequired when it is not the one that `known` has under that number.
    """
    active = 0
    for number, upgrade in enumerate(upgrades, start=1):
        if upgrade.since > now:
            break
        if number >= len(known) or known[number] != upgrade.name:
            raise UpgradeRequired(
                f'the network upgraded to "{upgrade.name}" at {upgrade.since} and Flux {__version__} does not know it: '
                f"install a version that has it and start again; nothing is lost"
            )
        active = number
    return active
