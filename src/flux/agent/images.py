"""Which images an agent may remove: pure, from what it fetched, for how long nothing here used each, and the disk.

Unused is counted in seconds for which this machine saw it, look after look, while the chain could be read and was of
now. So nothing is removed on a blip, and nothing for a clock that jumps.
"""

from collections.abc import Collection, Mapping, Sequence

from flux.agent.quarantine import MAX_STEP
from flux.runtime.types import MIB, DiskSpace, ImageReference

SHORT_PATIENCE = 600.0
"""Seconds that an image is unused at least before it goes, however short the disk is."""
_SHORT_PART = 10
_LARGEST_SHORT = 50 * 1024 * MIB
"""The disk is short where less than a tenth of it is free, 50 GiB at most: pulls are refused at a fiftieth."""


def is_short(disk: DiskSpace | None) -> bool:
    """Whether images should make room before their time; never where nothing is known of the disk."""
    return disk is not None and disk.free < min(disk.total // _SHORT_PART, _LARGEST_SHORT)


def watched(
    unused: Mapping[ImageReference, float], used: Collection[ImageReference], passed: float
) -> dict[ImageReference, float]:
    """For how long each image has been unused, `passed` seconds after the last look."""
    step = max(0.0, min(passed, MAX_STEP))
    return {image: 0.0 if image in used else seconds + step for image, seconds in unused.items()}


def removable(unused: Mapping[ImageReference, float], keep: float, *, short: bool) -> Sequence[ImageReference]:
    """What may go, oldest use first; `keep` are the seconds that an image stays where the disk is not short."""
    patience = min(keep, SHORT_PATIENCE) if short else keep
    due = [image for image, seconds in unused.items() if seconds > 0 and seconds >= patience]
    return sorted(due, key=lambda image: (-unused[image], image))
