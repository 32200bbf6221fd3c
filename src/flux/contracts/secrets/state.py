"""Storage of the secrets contract."""

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import LeaseId
from flux.contracts.secrets.types import Boxes, Keeping, Votes
from flux.kernel.storage import Map, OrderedSet, State, pair


class SecretsState(State):
    """Ciphertexts and keepers by revision, sealed seeds by lease until it closes."""

    ciphertexts = Map(b"\x01", pair(AppId, Revision), bytes)
    boxes = Map(b"\x02", LeaseId, Boxes)
    keepings = Map(b"\x03", pair(AppId, Revision), Keeping)
    """One for each ciphertext."""
    votes = Map(b"\x04", pair(AppId, Revision), Votes)
    """On the next generation, until it holds."""
    counted = OrderedSet(b"\x05", AppId)
    """Apps whose keepers are counted; each has one entry in the schedule."""
