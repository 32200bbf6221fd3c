"""What the market says of nodes for a spec, as a table and as counts of reasons."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from flux.cli import format as show
from flux.cli import words
from flux.cli.dollars import worth
from flux.cli.output import Column, Output, right
from flux.contracts.market.types import Rejection, Verdict
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.oracle.types import Price


def place(node: Node) -> str:
    """Where a node is: EU/FR/IDF."""
    location = node.location
    return "/".join(part for part in (location.continent, location.country, location.region) if part)


def able(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those that can run it, cheapest first."""
    found = [verdict for verdict in verdicts if verdict.rejection is Rejection.NONE]
    return sorted(found, key=lambda verdict: (verdict.rate, verdict.node))


def counted(verdicts: Sequence[Verdict]) -> str:
    """Why there are not more, the most frequent reason first: "3 nodes: the geo rules exclude its location; …"."""
    if not verdicts:
        return "there are no nodes"
    counts = Counter(verdict.rejection for verdict in verdicts if verdict.rejection is not Rejection.NONE)
    parts = [f"{show.count(number, 'node')}: {words.rejection(reason)}" for reason, number in counts.most_common()]
    return "; ".join(parts) or "a node runs one instance of an app at most"


def tallied(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """Nodes by the name of the reason why they were rejected."""
    counts = Counter(verdict.rejection.name.lower() for verdict in verdicts if verdict.rejection is not Rejection.NONE)
    return dict(counts.most_common())


def draw(output: Output, verdicts: Sequence[Verdict], nodes: Mapping[NodeId, Node], price: Price | None = None) -> None:
    """The nodes that can run it by price, then the others; in dollars too where there is a price of FLUX."""
    others = [verdict for verdict in verdicts if verdict.rejection is not Rejection.NONE]
    rows = [
        (
            str(verdict.node),
            place(nodes[verdict.node]) if verdict.node in nodes else "?",
            words.tier(nodes[verdict.node].tier) if verdict.node in nodes else "?",
            show.number(verdict.rate * show.HOUR),
            worth(verdict.rate * show.HOUR, price),
            "yes" if verdict.rejection is Rejection.NONE else "no: " + words.rejection(verdict.rejection),
        )
        for verdict in (*able(verdicts), *others)
    ]
    columns: list[Column | str] = [
        right("NODE"),
        "PLACE",
        "TIER",
        right("FLUX/h"),
        right("USD/h"),
        Column("CAN RUN IT", wrap=True),
    ]
    output.table(columns, rows, "There are no nodes.")


def document(
    verdicts: Sequence[Verdict], nodes: Mapping[NodeId, Node], price: Price | None = None
) -> list[dict[str, Any]]:
    """The same for scripts."""
    return [
        {
            "node": verdict.node,
            "place": place(nodes[verdict.node]) if verdict.node in nodes else None,
            "able": verdict.rejection is Rejection.NONE,
            "rejection": verdict.rejection.name.lower(),
            "reason": words.rejection(verdict.rejection),
            "price_per_hour": show.exact(verdict.rate * show.HOUR),
            "price_per_hour_usd": worth(verdict.rate * show.HOUR, price).removeprefix("$") or None,
            "bill": "usd" if verdict.usd_rate else "flux",
        }
        for verdict in verdicts
    ]
