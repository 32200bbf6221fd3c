"""Pure decisions of the policy contract."""

from flux.contracts.apps.types import AppSpec
from flux.contracts.policy.types import Denial
from flux.primitives.types import U64, ChainTime, Hash

MAX_PAGE = 1_000
NOTHING = Denial(ChainTime(U64(0)), ChainTime(U64(0)), False, "")


def images_of(spec: AppSpec) -> list[Hash]:
    """Digests of a checked spec's images, in order; `repository@sha256:digest` was checked with it."""
    return [Hash(bytes.fromhex(component.image.rpartition(":")[2])) for component in spec.components]
