"""What is denied, as the commands of `flux policy` show it."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from flux.cli import format as show
from flux.cli.output import Column
from flux.contracts.apps.types import App, AppSpec, decode_spec
from flux.contracts.policy.types import Denial
from flux.primitives.types import Hash
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.policy import Policy
from flux.sdk.client import FluxClient

COLUMNS: Sequence[Column | str] = (Column("DENIED", wrap=True), "WHAT RUNS", "APPEAL", Column("REASON", wrap=True))
"""Of `rows`."""


class Denied(NamedTuple):
    """One entry of the denylist."""

    what: str
    """`app NAME` or `sha256:…`."""
    denial: Denial


def image(digest: Hash) -> str:
    """A digest as image references write it."""
    return f"sha256:{digest.hex()}"


async def of_app(client: FluxClient, app: App) -> list[Denied]:
    """What stands against an app: its own denial, and those of images of its current revision."""
    policy = Policy(client)
    own = await policy.app_denial(app.id)
    spec: AppSpec = decode_spec(await Apps(client).spec(app.id, app.revision))
    digests = dict.fromkeys(Hash(bytes.fromhex(item.image.rpartition(":")[2])) for item in spec.components)
    found = [
        Denied(f"app {app.name}", own),
        *[Denied(image(item), await policy.image_denial(item)) for item in digests],
    ]
    return [item for item in found if item.denial.since]


def document(denied: Denied) -> dict[str, Any]:
    """For scripts."""
    denial = denied.denial
    return {
        "what": denied.what,
        "reason": denial.reason,
        "since": denial.since,
        "enforced_from": denial.enforced_from,
        "appealed": denial.appealed,
    }


def rows(entries: Iterable[Denied], now: int) -> list[tuple[str, ...]]:
    """For people."""
    return [(item.what, until(item.denial, now), _appeal(item.denial), item.denial.reason) for item in entries]


def until(denial: Denial, now: int) -> str:
    """How long what runs already may go on."""
    left = denial.enforced_from - now
    return "may be closed now" if left <= 0 else f"{show.duration(left)} left"


def _appeal(denial: Denial) -> str:
    return "appealed" if denial.appealed else "-"
