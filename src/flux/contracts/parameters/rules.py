"""Pure decisions of the parameters contract."""

import re
from collections.abc import Mapping, Sequence

from flux.contracts.parameters.state import GENESIS_DIGEST
from flux.contracts.parameters.types import (
    InvalidUpgradeName,
    Override,
    Upgrade,
    UpgradeOutOfOrder,
    UpgradeTooSoon,
)
from flux.kernel.record import record_codec
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, U256, ChainTime, Hash, Seconds

_NAME = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)


def digest(overrides: Mapping[str, U256], upgrades: Sequence[Upgrade]) -> Hash:
    """Identity of a set of changes; every part is length-prefixed, so different sets never read alike."""
    parts: list[bytes] = []
    for path, value in sorted(overrides.items()):
        parts += [path.encode(), record_codec(Override).encode(Override(value))]
    parts.append(b"")
    parts += [record_codec(Upgrade).encode(upgrade) for upgrade in upgrades]
    if parts == [b""]:
        return GENESIS_DIGEST
    return keccak256(b"".join(len(part).to_bytes(4, "big") + part for part in parts))


def check_upgrade(upgrade: Upgrade, scheduled: Sequence[Upgrade], now: ChainTime, notice: Seconds) -> None:
    """Raise InvalidUpgradeName, UpgradeTooSoon, UpgradeOutOfOrder: upgrades come one after the other, announced."""
    if not _NAME.fullmatch(upgrade.name) or any(upgrade.name == known.name for known in scheduled):
        raise InvalidUpgradeName(upgrade.name)
    earliest = ChainTime(U64(now + notice))
    if not earliest <= upgrade.since < 2**62:
        raise UpgradeTooSoon(upgrade.since, earliest)
    if scheduled and upgrade.since <= scheduled[-1].since:
        raise UpgradeOutOfOrder(upgrade.since, scheduled[-1].name, scheduled[-1].since)
