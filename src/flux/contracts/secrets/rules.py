"""Pure decisions of the secrets contract."""

from collections.abc import Collection, Iterable, Sequence

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import Lease, LeaseState
from flux.contracts.nodes.types import Node, NodeId, NodeStatus, Tier
from flux.contracts.secrets.types import (
    Box,
    Generation,
    InvalidBox,
    Keeper,
    Keeping,
    SealedSeed,
    Seat,
    SharedSeed,
)
from flux.primitives.keccak import keccak256
from flux.primitives.types import U8, U16, U32, U64, Address, ChainTime, Hash, Seconds

SEALED_SEED_BYTES = 64
"""libsodium sealed box: 32-byte ephemeral key, 16-byte tag, 16-byte seed."""
MAX_U16 = 2**16 - 1
MAX_U32 = 2**32 - 1
NOT_SHARED = Generation(U32(0))
NO_HASH = Hash(bytes(32))


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


def has_run_any(leases: Iterable[Lease], node: NodeId) -> bool:
    """Whether the node holds an open lease of the app that it confirmed: revisions mostly share their seed."""
    return any(lease.node == node and is_open(lease) and lease.running_at > 0 for lease in leases)


def nodes_that_run(leases: Iterable[Lease], revision: Revision) -> tuple[NodeId, ...]:
    """Nodes with an open lease of the revision, started or not, each once."""
    open_leases = (lease for lease in leases if lease.revision == revision and is_open(lease))
    return tuple(dict.fromkeys(lease.node for lease in open_leases))


def may_keep(node: Node) -> bool:
    """Whether a node can be asked for a share."""
    return node.status is NodeStatus.ACTIVE and node.tier is not Tier.NONE


def with_owners(boxes: tuple[Box, ...], owner: Address, data: bytes) -> tuple[Box, ...]:
    """The boxes with the owner's first, in place of an earlier one of theirs."""
    return (Box(owner, data), *(box for box in boxes if box.giver != owner))


def given_by_nodes(boxes: tuple[Box, ...], owner: Address) -> int:
    """How many boxes are not the owner's."""
    return sum(box.giver != owner for box in boxes)


def seat_of(keeper: Keeper) -> Seat:
    """The place that a keeper was drawn for."""
    return Seat(keeper.node, keeper.key)


def empty_sharing(keepers: U8, threshold: U8) -> SharedSeed:
    """As large as what a first generation stores, so that the tenant pays for the room with the revision."""
    seat = Keeper(NodeId(U32(MAX_U32)), NO_HASH, NO_HASH, bytes(SEALED_SEED_BYTES))
    return SharedSeed(NOT_SHARED, threshold, (seat,) * keepers)


def digest_of(shared: SharedSeed) -> Hash:
    """Identity of a sharing; every part has a fixed width."""
    parts = [shared.generation.to_bytes(4, "big"), shared.threshold.to_bytes(1, "big")]
    for keeper in shared.keepers:
        parts += [keeper.node.to_bytes(4, "big"), keeper.key, keeper.share, keeper.box]
    return keccak256(b"".join(parts))


def draw_digest(seats: Sequence[Seat]) -> Hash:
    """Identity of a draw."""
    return keccak256(b"".join(seat.node.to_bytes(4, "big") + seat.key for seat in seats))


def find_fault(shared: SharedSeed, seats: Sequence[Seat], threshold: U8) -> str | None:
    """Why this cannot be the next sharing; None when it can."""
    if len(seats) < threshold:
        return f"{len(seats)} nodes can keep it and {threshold} are needed"
    if shared.threshold != threshold:
        return f"the threshold is {threshold}"
    if tuple(map(seat_of, shared.keepers)) != tuple(seats):
        return "its keepers are not those that are drawn now"
    if any(len(keeper.box) != SEALED_SEED_BYTES for keeper in shared.keepers):
        return f"a sealed share has {SEALED_SEED_BYTES} bytes"
    return None


def is_due(there: Sequence[NodeId], drawn: Sequence[NodeId], holders: Collection[NodeId], threshold: int) -> bool:
    """Whether other keepers would be better: there would be more, or too few of those there live without the app."""
    apart = sum(node not in holders for node in there)
    would_be_apart = sum(node not in holders for node in drawn)
    return len(there) < len(drawn) or (apart < threshold and apart < would_be_apart)


def opens_at(keeping: Keeping, left: int, drawn: int, interval: Seconds) -> ChainTime:
    """From when on nodes may share anew: at once when one more loss is too many and the draw has more keepers."""
    if keeping.shared.generation == NOT_SHARED or (left <= keeping.shared.threshold and drawn > left):
        return keeping.since
    return ChainTime(U64(keeping.since + interval))


def seats_in_order(
    candidates: Iterable[Node], holders: Collection[NodeId], operators: Collection[Address], seats: int, threshold: int
) -> list[Seat]:
    """The first `seats` of the drawn nodes that may keep a seed.

    First one node of each operator that does not run the app, since what ends the app should not end its keepers. Then
    more nodes of the same operators, at most `threshold` - 1 of one that cannot read the seed anyway. Nodes that run
    the app come last.
    """
    first: list[Node] = []
    more: list[Node] = []
    last: list[Node] = []
    seen: set[NodeId] = set()
    kept: dict[Address, int] = {}
    for node in candidates:
        if node.id in seen:
            continue
        seen.add(node.id)
        if node.id in holders:
            last.append(node)
        elif node.operator in operators:
            more.append(node)
        elif kept.get(node.operator, 0) < max(1, threshold - 1):
            kept[node.operator] = kept.get(node.operator, 0) + 1
            (first if kept[node.operator] == 1 else more).append(node)
        if len(first) == seats:
            break
    return [Seat(node.id, node.endpoint.seal_key) for node in (first + more + last)[:seats]]
