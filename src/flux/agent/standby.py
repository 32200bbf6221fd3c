"""What to do for the apps that this node stands by for: pure, from what the chain asks, the engine holds and was noted.

A node that stands by fetches images and says so; it starts nothing. When they are removed is decided in `images`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from flux.contracts.apps.types import AppId
from flux.primitives.types import Hash
from flux.runtime.types import ImageReference


@dataclass(frozen=True, slots=True)
class Duty:
    """An app whose images this node is to hold."""

    app: AppId
    images: tuple[ImageReference, ...]
    fingerprint: Hash
    """What the chain calls these images; named in the report."""
    ready: bool
    """Whether the chain has it that this node holds them."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that could not be fetched."""

    for_good: bool
    """Whether trying again is no use."""
    retry_at: float
    """By the agent's monotonic clock."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What is known at one look."""

    present: Collection[ImageReference]
    """Images that the engine holds, of those asked about."""
    failures: Mapping[ImageReference, Failure]


@dataclass(frozen=True, slots=True)
class Hold:
    """Tell the chain that the images are here."""

    duty: Duty


@dataclass(frozen=True, slots=True)
class LetGo:
    """Tell the chain that they cannot be held here."""

    duty: Duty


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch an image."""

    image: ImageReference


Step = Hold | LetGo | Fetch


def plan_standby(duties: Sequence[Duty], holdings: Holdings, now: float) -> tuple[Step, ...]:
    """The steps of one look, in order: reports first, then at most one image to fetch."""
    steps: list[Step] = []
    missing: list[ImageReference] = []
    for duty in duties:
        absent = [image for image in duty.images if image not in holdings.present]
        failed = [found for image in absent if (found := holdings.failures.get(image)) is not None]
        if not absent and not duty.ready:
            steps.append(Hold(duty))
        elif any(failure.for_good or duty.ready for failure in failed):
            steps.append(LetGo(duty))
        else:
            missing += absent
    due = [image for image in missing if _may_try(holdings.failures.get(image), now)]
    if due:
        steps.append(Fetch(due[0]))
    return tuple(steps)


def _may_try(failure: Failure | None, now: float) -> bool:
    return failure is None or (not failure.for_good and now >= failure.retry_at)
