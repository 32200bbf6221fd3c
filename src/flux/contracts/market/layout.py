"""An order to look at nodes in that makes the cheapest one easy to find. It never changes a decision, only its cost.

Nodes are grouped by how much they have left and, inside that, by like asks: then the lowest ask and the largest free
capacity of a group say tightly what it can offer, and a group that is used up is passed over.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from flux.contracts.market.fleet import (
    ASK_CPU,
    ASK_GPU,
    FEATURES,
    FREE_CPU,
    FREE_DISK,
    FREE_MEMORY,
    IN_USD,
    SLOTS,
    USD_CPU,
    Fleet,
    Ints,
)
from flux.contracts.market.order import BlockOrder
from flux.contracts.oracle.types import UsdPrice


class Tuning(NamedTuple):
    """How the engine goes about it: speed only, never which node is chosen."""

    chunk: int = 32
    """Nodes of a group."""
    first_groups: int = 192
    """Groups looked at first, of all wishes together; twice as many each time after that."""
    window: int = 48
    """Instances whose candidates are looked up together."""
    shortlist: int = 8
    """Candidates looked up for an app, beside those for each of its instances."""
    each: int = 4
    """Candidates for each instance."""


ASKS: Final = slice(ASK_CPU, ASK_GPU + 1)
IN_DOLLARS: Final = slice(USD_CPU, USD_CPU + 4)
TYPICAL: Final = np.array([10, 20, 1, 10], dtype=np.int64)
"""Weight of each ask when choosing where to split: the shape of a usual instance. Asks are at most 2**42."""
LEVELS: Final = ((250, 256, 1024), (1000, 1024, 4096))
"""Shapes (cpu milli, memory MiB, disk MiB); a node's level is how many of them it can still take, smallest first."""


@dataclass(frozen=True, slots=True)
class AskOrder:
    """Nodes in an order in which neighbours have like asks."""

    asks: Ints
    """The asks it was made from, each in its own currency."""
    price: UsdPrice
    """The price of FLUX at which they were compared."""
    position: Ints
    """By node index; nodes with equal asks share one when they are more than a group."""


def search_order(fleet: Fleet, order: BlockOrder, chunk: int) -> Ints:
    """Node indices by what nodes have left, then like asks, then the block's order."""
    sequence = _levels(fleet.columns) << 2 * order.bits
    sequence |= _ask_order(fleet, chunk).position << order.bits
    sequence |= order.place
    sequence.sort()
    nodes: Ints = order.node_at[sequence & (1 << order.bits) - 1]
    return nodes


def _levels(columns: Ints) -> Ints:
    level: Ints = np.zeros(columns.shape[1], dtype=np.int64)
    alive = columns[SLOTS] > 0
    for cpu, memory, disk in LEVELS:
        alive = alive & (columns[FREE_CPU] >= cpu) & (columns[FREE_MEMORY] >= memory) & (columns[FREE_DISK] >= disk)
        level += alive
    return level


def _ask_order(fleet: Fleet, chunk: int) -> AskOrder:
    """The remembered order; a new one when the fleet grew or more than a sixteenth of its asks or of the price changed.

    A price that moved less keeps asks in dollars together and near their like in FLUX.
    """
    known = fleet.hint
    columns = fleet.columns
    asks = np.where(columns[FEATURES] & IN_USD, columns[IN_DOLLARS], columns[ASKS])
    if isinstance(known, AskOrder) and known.asks.shape == asks.shape:
        changed = int(np.count_nonzero((asks != known.asks).any(axis=0)))
        if changed * 16 <= fleet.count and abs(fleet.price - known.price) * 16 <= known.price:
            return known
    made = AskOrder(asks, fleet.price, _positions(columns[ASKS], chunk))
    fleet.hint = made
    return made


def _positions(asks: Ints, chunk: int) -> Ints:
    """Split all groups along the ask that varies most in each, again and again, until they are small or equal."""
    nodes = np.arange(asks.shape[1], dtype=np.int64)
    starts, sizes = nodes[:1], np.array([nodes.size], dtype=np.int64)
    """Where groups begin in `nodes`, and how many each has."""
    while nodes.size:
        values = asks[:, nodes]
        widths = np.maximum.reduceat(values, starts, axis=1) - np.minimum.reduceat(values, starts, axis=1)
        widths *= TYPICAL[:, None]
        splits = (sizes > chunk) & (widths.max(axis=0) > 0)
        if not splits.any():
            break
        group = np.repeat(np.arange(starts.size), sizes)
        line = values[widths.argmax(axis=0)[group], np.arange(nodes.size)]
        sequence = np.lexsort((line, group))
        nodes, line = nodes[sequence], line[sequence]
        middle, least = line[starts + sizes // 2], line[starts]
        upper = np.where(middle > least, middle, least + 1)[group] <= line
        upper &= splits[group]
        upper[1:] &= ~upper[:-1]
        starts = np.sort(np.append(starts, np.nonzero(upper)[0]))
        sizes = np.diff(np.append(starts, nodes.size))
    position: Ints = np.empty(nodes.size, dtype=np.int64)
    first = np.repeat(starts, sizes)
    position[nodes] = np.where(np.repeat(sizes, sizes) > chunk, first, np.arange(nodes.size))
    return position
