"""Storage of the policy contract."""

from flux.contracts.apps.types import AppId
from flux.contracts.policy.types import Denial
from flux.kernel.storage import Map, State
from flux.primitives.types import Hash


class PolicyState(State):
    """Denials that stand."""

    images: Map[Hash, Denial] = Map(b"\x01", Hash, Denial)
    """By SHA-256 digest."""
    apps: Map[AppId, Denial] = Map(b"\x02", AppId, Denial)
