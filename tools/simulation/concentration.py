"""How evenly something is spread over its owners."""

from collections.abc import Iterable, Sequence


def gini(amounts: Iterable[int]) -> float:
    """The Gini coefficient: 0 when all have the same, towards 1 when one has everything. 0 for nothing at all.

    Source: Gini 1912, in the form over sorted values: (2 Σ i·xᵢ) / (n Σ xᵢ) − (n + 1) / n.
    """
    ordered = sorted(amounts)
    total, number = sum(ordered), len(ordered)
    if total == 0:
        return 0.0
    weighted = sum(rank * amount for rank, amount in enumerate(ordered, start=1))
    return 2 * weighted / (number * total) - (number + 1) / number


def largest_share(amounts: Sequence[int]) -> float:
    """The part of all that the richest owner has."""
    total = sum(amounts)
    return max(amounts) / total if total else 0.0


def nakamoto(amounts: Sequence[int], part: float = 1 / 3) -> int:
    """How many of the richest it takes to hold more than a part of all (of consensus power: to stop it, a third)."""
    total, held = sum(amounts), 0
    for number, amount in enumerate(sorted(amounts, reverse=True), start=1):
        held += amount
        if held > part * total:
            return number
    return 0
