"""An order to look at nodes in that makes the cheapest one easy to find. It never changes a decision, only its cost.

Nodes are grouped by how much they have left and, inside that, by like asks: then the lowest ask and the largest free
capacity of a group say tightly what it can offer, and a group that is used up is passed over.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from flux.contracts.market.fleet import (
    ASK_CPU,
    ASK_GPU,
    FREE_CPU,
    FREE_DISK,
    FREE_MEMORY,
    SLOTS,
    Fleet,
    Ints,
)


class Tuning(NamedTuple):
    """How the engine goes about it: speed only, never which node is chosen."""

    chunk: int = 32
    """Nodes looked at together: NumPy's cost per call is about that of 256 additions."""
    few_requests: int = 8
    """Up to this many, ordering the nodes costs more than looking at all of them each time."""
    few_nodes: int = 1024
    """Up to this many, the same."""
    first_groups: int = 8
    """Groups looked at first, all at once; twice as many each time after that."""
    rare: int = 512
    """Constraints that leave at most this many nodes have them looked at in one go."""
    reorder_after: int = 256
    """Placements after which nodes are grouped anew by what they have left."""


ASKS: Final = slice(ASK_CPU, ASK_GPU + 1)
TYPICAL: Final = np.array([10, 20, 1, 10], dtype=np.int64)
"""Weight of each ask when choosing where to split: the shape of a usual instance. Asks are at most 2**42."""
LEVELS: Final = tuple((125 << level, 128 << level, 512 << level) for level in range(8))
"""Shapes (cpu milli, memory MiB, disk MiB); a node's level is how many of them it can still take, smallest first."""


@dataclass(frozen=True, slots=True)
class AskOrder:
    """Nodes in an order in which neighbours have like asks; nodes with equal asks are neighbours."""

    asks: Ints
    """The asks it was made from."""
    order: Ints
    """Node indices."""
    equal: tuple[tuple[int, int], ...]
    """Runs [begin, end) of equal asks that are longer than a chunk."""


def grouped(fleet: Fleet, rank: Ints, chunk: int) -> tuple[Ints, Ints]:
    """Node indices group by group, and where each group begins."""
    known = _ask_order(fleet, chunk)
    order = known.order.copy()
    for begin, end in known.equal:
        part = np.sort(order[begin:end], kind="stable")
        order[begin:end] = part[np.argsort(rank[part], kind="stable")]
    level = _levels(fleet.columns)[order]
    sequence = np.argsort(level, kind="stable")
    edges = np.searchsorted(level[sequence], np.arange(len(LEVELS) + 2))
    starts = [np.arange(begin, end, chunk) for begin, end in pairwise(edges)]
    return order[sequence], np.concatenate(starts).astype(np.int64)


def _levels(columns: Ints) -> Ints:
    level = np.zeros(columns.shape[1], dtype=np.uint8)
    alive = columns[SLOTS] > 0
    for cpu, memory, disk in LEVELS:
        alive = alive & (columns[FREE_CPU] >= cpu) & (columns[FREE_MEMORY] >= memory) & (columns[FREE_DISK] >= disk)
        level += alive
    return level  # type: ignore[return-value]


def _ask_order(fleet: Fleet, chunk: int) -> AskOrder:
    """The remembered order, or a new one when the fleet grew or more than a sixteenth of its asks changed."""
    known = fleet.hint
    asks = fleet.columns[ASKS]
    if isinstance(known, AskOrder) and known.asks.shape == asks.shape:
        changed = int(np.count_nonzero((asks != known.asks).any(axis=0)))
        if changed * 16 <= fleet.count:
            return known
    made = _order_by_asks(asks.copy(), chunk)
    fleet.hint = made
    return made


def _order_by_asks(asks: Ints, chunk: int) -> AskOrder:
    """Split along the ask that varies most, again and again, until groups are small or equal."""
    groups: list[Ints] = []
    equal: list[tuple[int, int]] = []
    begin = 0
    todo = [np.arange(asks.shape[1], dtype=np.int64)]
    while todo:
        group = todo.pop()
        halves = _split(asks, group, chunk)
        if halves is not None:
            todo += halves
            continue
        groups.append(group)
        if len(group) > chunk:
            equal.append((begin, begin + len(group)))
        begin += len(group)
    return AskOrder(asks, np.concatenate(groups), tuple(equal))


def _split(asks: Ints, group: Ints, chunk: int) -> list[Ints] | None:
    """Two halves, the lower one last, or None when the group is small or its asks are all equal."""
    if len(group) <= chunk:
        return None
    values = asks[:, group]
    widths = (values.max(axis=1) - values.min(axis=1)) * TYPICAL
    widest = int(widths.argmax())
    if widths[widest] == 0:
        return None
    line = values[widest]
    lower = line < np.sort(line, kind="stable")[len(line) // 2]
    if not lower.any():
        lower = line == line.min()
    return [group[~lower], group[lower]]
