"""Why each node of a fleet is not chosen, for all nodes at once; `rules.verdict` says the same of one node."""

from typing import Final

import numpy as np
import numpy.typing as npt

from flux.contracts.market.filters import places_allowed
from flux.contracts.market.fleet import (
    ACTIVE,
    ARCHITECTURE_BIT,
    ASK_CPU,
    ASK_DISK,
    ASK_GPU,
    ASK_MEMORY,
    FEATURES,
    FREE_CPU,
    FREE_DISK,
    FREE_GPU,
    FREE_MEMORY,
    GPU_SHIFT,
    LOCATED,
    OPEN,
    PAYABLE,
    PLACE,
    SLOTS,
    STATIC_IP,
    TIER_1,
    Fleet,
    Ints,
)
from flux.contracts.market.requests import Presence, Wish
from flux.contracts.market.rules import MAX_NEEDS, is_placeable
from flux.contracts.market.types import Rejection
from flux.primitives.types import U32

REASONS: Final = len(Rejection)
Booleans = npt.NDArray[np.bool_]


def rejections(fleet: Fleet, wish: Wish, presence: Presence) -> Ints:
    """By node, the number of its `Rejection`."""
    columns = fleet.columns
    found: Ints = np.zeros(fleet.count, dtype=np.int64)
    for reason, holds in reversed(_checks(fleet, columns, wish, presence)):
        found[holds] = reason
    return found


def count_rejections(fleet: Fleet, wish: Wish, presence: Presence) -> tuple[U32, ...]:
    """How many nodes are rejected for each reason; the index is the `Rejection`."""
    counts = np.bincount(rejections(fleet, wish, presence), minlength=REASONS)
    return tuple(U32(count) for count in counts.tolist())


def _checks(fleet: Fleet, columns: Ints, wish: Wish, presence: Presence) -> list[tuple[Rejection, Booleans]]:
    """Reasons in the order of `Rejection`, with the nodes that they hold for."""
    features = columns[FEATURES]
    needs = wish.needs
    architectures = sum(ARCHITECTURE_BIT[architecture] for architecture in wish.architectures)
    nowhere = np.zeros(fleet.count, dtype=np.bool_)
    tier = TIER_1 << max(wish.min_tier, 1) - 1 if wish.min_tier <= 3 else 0
    return [
        (Rejection.NOT_ACTIVE, features & ACTIVE == 0),
        (Rejection.DRAINING, features & OPEN == 0),
        (Rejection.TIER, nowhere if wish.min_tier <= 0 else features & tier == 0),
        (Rejection.ARCHITECTURE, features & architectures == 0),
        (Rejection.GEO, ~places_allowed(wish.geo, fleet.codes)[columns[PLACE]] if wish.geo else nowhere),
        (Rejection.LOCATION, features & LOCATED == 0 if wish.geo else nowhere),
        (Rejection.STATIC_IP, features & STATIC_IP == 0 if wish.static_ip else nowhere),
        (Rejection.GPU, _lacks_gpu(fleet, columns, wish)),
        (Rejection.CPU, columns[FREE_CPU] < _need(needs.cpu_milli, MAX_NEEDS.cpu_milli)),
        (Rejection.MEMORY, columns[FREE_MEMORY] < _need(needs.memory_mib, MAX_NEEDS.memory_mib)),
        (Rejection.DISK, columns[FREE_DISK] < _need(needs.disk_mib, MAX_NEEDS.disk_mib)),
        (Rejection.PRICE, (features & PAYABLE == 0) | _too_dear(columns, wish)),
        (Rejection.EXCLUDED, _among(fleet, presence.excluded)),
        (Rejection.HOSTS_ALREADY, _among(fleet, presence.hosts)),
        (Rejection.SLOTS, columns[SLOTS] <= 0),
    ]


def _need(need: int, most: int) -> int:
    """The need, or more than any node has when it is beyond the engine's bounds."""
    return need if need <= most else 1 << 40


def _lacks_gpu(fleet: Fleet, columns: Ints, wish: Wish) -> Booleans:
    if not wish.needs.gpu_count:
        return np.zeros(fleet.count, dtype=np.bool_)
    lacks: Booleans = columns[FREE_GPU] < _need(wish.needs.gpu_count, MAX_NEEDS.gpu_count)
    if wish.gpu_model:
        lacks |= columns[FEATURES] >> GPU_SHIFT != fleet.codes.models.get(wish.gpu_model, -1)
    return lacks


def _too_dear(columns: Ints, wish: Wish) -> Booleans:
    if not is_placeable(wish.needs):
        return np.zeros(columns.shape[1], dtype=np.bool_)
    needs = wish.needs
    prices = columns[ASK_CPU] * needs.cpu_milli + columns[ASK_GPU] * (needs.gpu_count * 1000)
    prices += (columns[ASK_MEMORY] * (needs.memory_mib * 125)) >> 7
    prices += (columns[ASK_DISK] * (needs.disk_mib * 125)) >> 7
    dear: Booleans = prices > wish.limit
    return dear


def _among(fleet: Fleet, nodes: tuple[int, ...]) -> Booleans:
    among = np.zeros(fleet.count, dtype=np.bool_)
    if nodes:
        among[np.array(nodes, dtype=np.int64) - 1] = True
    return among
