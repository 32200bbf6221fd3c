"""Storage of the secrets contract."""

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import LeaseId
from flux.contracts.secrets.types import Boxes
from flux.kernel.storage import Map, State, pair


class SecretsState(State):
    """Ciphertexts by revision, and sealed seeds by lease until it closes."""

    ciphertexts = Map(b"\x01", pair(AppId, Revision), bytes)
    boxes = Map(b"\x02", LeaseId, Boxes)
