"""Keepers of a seed as an owner meets them: shares for those that the chain draws, and how they stand."""

from typing import Any

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.secrets.types import Generation, InvalidSharing, Sharing, WrongGeneration
from flux.primitives.types import U32
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient
from flux.sdk.errors import Refused
from flux.sdk.signer import Signer

TRIES = 3
"""Nodes may share meanwhile, or an epoch may end and draw other keepers."""


async def keep(client: FluxClient, signer: Signer, app: AppId, revision: Revision, seed: bytes) -> bool:
    """Have keepers hold shares of exactly this seed. False where there are too few nodes. Raises Refused.

    Nothing is sent when the nodes that run the app have shared it already, rightly, and no keeper is to be replaced.
    """
    from flux.specs.keepers import is_right, share_out

    secrets = Secrets(client)
    for attempt in range(TRIES):
        status = await secrets.sharing(app, revision)
        is_shared = status.generation > 0 and is_right(
            (await secrets.keepers(app, revision)).shared, seed, app, revision
        )
        if is_shared and not status.is_due:
            return True
        if len(status.seats) < status.next_threshold:
            return is_shared
        generation = Generation(U32(status.generation + 1))
        shared = share_out(seed, app, revision, generation, status.next_threshold, status.seats)
        try:
            await secrets.keep(signer, app, revision, shared)
        except Refused as refused:
            if attempt == TRIES - 1 or not isinstance(refused.revert, InvalidSharing | WrongGeneration):
                raise
        else:
            return True
    return False


def keepers_sentence(sharing: Sharing) -> str:
    """For people: whether the app would outlive all its nodes, and what to do when it would not."""
    if not sharing.generation:
        few = len(sharing.seats) < sharing.next_threshold
        why = (
            f"fewer than {sharing.next_threshold} nodes could keep them" if few else "its nodes have not said which yet"
        )
        return f"nobody keeps shares of its seed: {why}"
    stands = f"{sharing.left} of {sharing.keepers} hold shares of its seed, any {sharing.threshold} open it"
    if sharing.left < sharing.threshold:
        return f"{stands}: if its nodes die, only `flux app seal` brings it back"
    return f"{stands}: one more loss is too many" if sharing.left == sharing.threshold else stands


def keepers_document(sharing: Sharing) -> dict[str, Any]:
    """For scripts."""
    return {
        "generation": sharing.generation,
        "keepers": sharing.keepers,
        "left": sharing.left,
        "threshold": sharing.threshold,
        "low": not sharing.generation or sharing.left <= sharing.threshold,
    }
