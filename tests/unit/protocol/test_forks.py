"""Upgrades by name and time: known ones take effect, unknown ones stop the node before the block."""

import pytest

from flux.chain.ports import UpgradeRequired
from flux.contracts.parameters.types import Upgrade
from flux.primitives.types import U64, ChainTime
from flux.protocol.forks import FORKS, active_fork

KNOWN = ("genesis", "edge", "drive")


def at(time: int) -> ChainTime:
    return ChainTime(U64(time))


SCHEDULED = (Upgrade("edge", at(100)), Upgrade("drive", at(200)), Upgrade("swaps", at(300)))


def test_the_newest_upgrade_whose_time_has_come_is_active() -> None:
    assert [active_fork(SCHEDULED, at(time), KNOWN) for time in (0, 99, 100, 199, 200, 299)] == [0, 0, 1, 1, 2, 2]
    assert active_fork((), at(10**10)) == 0
    assert FORKS[0] == "genesis"


def test_an_unknown_upgrade_stops_the_node_when_its_time_comes_and_says_what_to_do() -> None:
    with pytest.raises(UpgradeRequired, match=r'"swaps" at 300 .* does not know it: install a version that has it'):
        active_fork(SCHEDULED, at(300), KNOWN)


def test_upgrades_in_another_order_than_the_software_has_them_stop_the_node() -> None:
    swapped = (Upgrade("drive", at(100)), Upgrade("edge", at(200)))
    assert active_fork(swapped, at(99), KNOWN) == 0
    with pytest.raises(UpgradeRequired, match=r'"drive"'):
        active_fork(swapped, at(100), KNOWN)
