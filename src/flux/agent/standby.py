"""What to do for the apps that this node stands by for: pure, from what the chain asks, the engine holds and was noted.

A node that stands by fetches images and says so; it starts nothing. Images that it fetched for that alone it removes
again, a while after nobody asks for them any more. One that a lease needs is the lease's from then on.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from flux.contracts.apps.types import AppId
from flux.primitives.types import Hash
from flux.runtime.types import ImageReference

KEEP_SECONDS = 600.0
"""How long an image stays that nobody asks for any more: an app that goes back to it finds it there."""


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
    leased: Collection[ImageReference]
    """Images that instances here need."""
    fetched: Mapping[ImageReference, float]
    """Images that were fetched to stand by, and since when nobody asks for them; 0 while somebody does."""
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


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove an image that nobody asks for."""

    image: ImageReference


Step = Hold | LetGo | Fetch | Drop


@dataclass(frozen=True, slots=True)
class StandbyPlan:
    """The steps of one look, in order, and what is to be noted before they are taken."""

    steps: tuple[Step, ...]
    fetched: Mapping[ImageReference, float]


def plan_standby(duties: Sequence[Duty], holdings: Holdings, now: float) -> StandbyPlan:
    """Reports first, then what is to be removed, then at most one image to fetch."""
    asked = {image: None for duty in duties for image in duty.images}
    fetched = {
        image: 0.0 if image in asked else since or now
        for image, since in holdings.fetched.items()
        if image not in holdings.leased
    }
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
    over = [image for image, since in fetched.items() if since and now >= since + KEEP_SECONDS]
    steps += [Drop(image) for image in over]
    due = [image for image in missing if _may_try(holdings.failures.get(image), now)]
    if due:
        steps.append(Fetch(due[0]))
        if due[0] not in holdings.leased:
            fetched[due[0]] = 0.0
    return StandbyPlan(tuple(steps), fetched)


def _may_try(failure: Failure | None, now: float) -> bool:
    return failure is None or (not failure.for_good and now >= failure.retry_at)
