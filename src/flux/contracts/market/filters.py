"""Which nodes an app's constraints leave, whatever they have free. Apps with the same constraints share the answer."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from flux.contracts.market.fleet import (
    ACTIVE,
    ARCHITECTURE_BIT,
    FEATURES,
    GPU_SHIFT,
    LOCATED,
    OPEN,
    PAYABLE,
    PLACE,
    STATIC_IP,
    TIER_1,
    Codes,
    Fleet,
)
from flux.contracts.market.requests import Wish
from flux.contracts.market.rules import allows_place, find_rules

Booleans = npt.NDArray[np.bool_]

NEVER: Final = 1 << 15
"""A feature that no node has."""
ALL_MODELS: Final = -1 << GPU_SHIFT
REMEMBERED_RULES: Final = 1024
SELECTIVE: Final = (TIER_1, TIER_1 << 1, TIER_1 << 2, STATIC_IP, *ARCHITECTURE_BIT.values())
"""Features that one wish needs and another does not."""
COMMON: Final = 3
"""A feature is common if at least one of so many nodes has it."""


class Key(NamedTuple):
    """Which nodes a filter leaves: those whose masked features are as wanted, in a place that the rules allow."""

    mask: int
    wanted: int
    geo: tuple[str, ...]

    def without(self, features: int) -> "Key":
        """A filter that does not look at some features."""
        return Key(self.mask & ~features, self.wanted & ~features, self.geo)


def features_of(wish: Wish) -> int:
    """What a node must have for a wish, its GPU model aside."""
    wanted = ACTIVE | OPEN | PAYABLE
    if wish.min_tier > 0:
        wanted |= TIER_1 << wish.min_tier - 1 if wish.min_tier <= 3 else NEVER
    if wish.geo:
        wanted |= LOCATED
    if wish.static_ip:
        wanted |= STATIC_IP
    if not wish.architectures:
        wanted |= NEVER
    if len(wish.architectures) == 1:
        (architecture,) = wish.architectures
        wanted |= ARCHITECTURE_BIT[architecture]
    return wanted


def key_of(wish: Wish, codes: Codes) -> Key:
    """The filter that a wish needs."""
    mask = wanted = features_of(wish)
    if wish.needs.gpu_count and wish.gpu_model:
        mask |= ALL_MODELS
        wanted |= codes.models.get(wish.gpu_model, len(codes.models)) << GPU_SHIFT
    return Key(mask, wanted, wish.geo)


def common_features(fleet: Fleet) -> int:
    """Features that so many nodes have that looking for one of them anew is cheaper than a filter for them."""
    features = fleet.columns[FEATURES]
    return sum(bit for bit in SELECTIVE if COMMON * int(np.count_nonzero(features & bit)) >= fleet.count)


def places_allowed(geo: tuple[str, ...], codes: Codes) -> Booleans:
    """By place code, whether the rules allow it; remembered until a new place is seen.

    Views in other threads ask too while a block may add a place: hence the list, which is made in one step.
    """
    known = codes.allowed.get(geo)
    if known is None or known.size != len(codes.places):
        rules = find_rules(geo)
        if len(codes.allowed) >= REMEMBERED_RULES:
            codes.allowed.clear()
        known = np.array([allows_place(rules, place) for place in list(codes.places)], dtype=np.bool_)
        codes.allowed[geo] = known
    return known


def matching(fleet: Fleet, key: Key) -> Booleans:
    """By node, whether the filter leaves it."""
    columns = fleet.columns
    matches: Booleans = (columns[FEATURES] & key.mask) == key.wanted
    if key.geo:
        matches &= places_allowed(key.geo, fleet.codes)[columns[PLACE]]
    return matches
