"""Pure decisions of the secrets contract."""

from collections.abc import Iterable

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import Lease, LeaseState
from flux.contracts.nodes.types import NodeId
from flux.contracts.secrets.types import Box, InvalidBox, SealedSeed
from flux.primitives.types import U16, Address

SEALED_SEED_BYTES = 64
"""libsodium sealed box: 32-byte ephemeral key, 16-byte tag, 16-byte seed."""
MAX_U16 = 2**16 - 1


def check_box(seed: SealedSeed) -> None:
    """Raises InvalidBox unless it can be a sealed seed."""
    if len(seed.box) != SEALED_SEED_BYTES:
        raise InvalidBox(seed.lease, U16(min(len(seed.box), MAX_U16)))


def is_open(lease: Lease) -> bool:
    """Whether the lease may still be given a seed."""
    return lease.state is not LeaseState.CLOSED


def find_obstacle(lease: Lease, app: AppId) -> str | None:
    """Why a seed of the app cannot be given to this lease; None when it can."""
    if lease.app != app:
        return f"it belongs to app {lease.app}"
    if not is_open(lease):
        return "it is closed"
    return None


def has_run(leases: Iterable[Lease], node: NodeId, revision: Revision) -> bool:
    """Whether the node holds an open lease of this revision that it confirmed, so that it must have the seed."""
    return any(
        lease.node == node and lease.revision == revision and is_open(lease) and lease.running_at > 0
        for lease in leases
    )


def with_owners(boxes: tuple[Box, ...], owner: Address, data: bytes) -> tuple[Box, ...]:
    """The boxes with the owner's first, in place of an earlier one of theirs."""
    return (Box(owner, data), *(box for box in boxes if box.giver != owner))


def given_by_nodes(boxes: tuple[Box, ...], owner: Address) -> int:
    """How many boxes are not the owner's."""
    return sum(box.giver != owner for box in boxes)
