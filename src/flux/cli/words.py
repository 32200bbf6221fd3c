"""The chain's enumerations in words. Each is a sentence's part, so that several can stand in a row."""

from collections.abc import Sequence

from flux.contracts.apps.types import AppStatus
from flux.contracts.market.standby_types import StandbyEnd
from flux.contracts.market.types import CloseReason, FailReason, LeaseState, Rejection
from flux.contracts.nodes.types import Architecture, NodeStatus, Tier

REJECTIONS = {
    Rejection.NONE: "can run it",
    Rejection.NOT_ACTIVE: "it is not active",
    Rejection.TIER: "its tier is too low",
    Rejection.ARCHITECTURE: "its processor is not one the images are made for",
    Rejection.GEO: "the geo rules exclude its location",
    Rejection.STATIC_IP: "it has no static IP address",
    Rejection.GPU: "it has no such GPU free",
    Rejection.CPU: "not enough CPU is free",
    Rejection.MEMORY: "not enough memory is free",
    Rejection.DISK: "not enough disk is free",
    Rejection.PRICE: "it asks more than the maximum price",
    Rejection.EXCLUDED: "it failed this app recently, or an instance was moved away from it",
    Rejection.HOSTS_ALREADY: "it already runs an instance of this app",
    Rejection.LOCATION: "its committee found that it cannot be where it says it is",
    Rejection.DRAINING: "its operator drains it",
    Rejection.SLOTS: "it holds as many leases as a node may",
}

CLOSE_REASONS = {
    CloseReason.NONE: "no reason",
    CloseReason.REMOVED: "the app was removed",
    CloseReason.MOVED: "its owner moved it",
    CloseReason.SCALED_DOWN: "the app was scaled down",
    CloseReason.UPDATED: "a newer version took its place",
    CloseReason.PAUSED: "the app was paused",
    CloseReason.DEPLETED: "the app's balance ran out",
    CloseReason.START_FAILED: "the node could not start it",
    CloseReason.START_TIMEOUT: "the node did not start it in time",
    CloseReason.CRASHED: "it kept crashing",
    CloseReason.UNREACHABLE: "the node could not be reached by its committee",
    CloseReason.NODE_LEAVING: "the node is leaving",
    CloseReason.SURPLUS: "it was a replacement that was not needed after all",
    CloseReason.DRAINED: "the node was drained by its operator",
    CloseReason.ROLLED_BACK: "an earlier version took its place again",
}

FAIL_REASONS = {
    FailReason.IMAGE_PULL: "the image could not be fetched",
    FailReason.CREATE: "a container could not be created",
    FailReason.START: "a container could not be started",
    FailReason.UNHEALTHY: "its health check kept failing",
    FailReason.CRASH_LOOP: "it kept crashing",
    FailReason.NO_RESOURCES: "the node's resources did not suffice",
    FailReason.NO_SEED: "nobody gave the node the app's seed in time",
    FailReason.BAD_SPEC: "the node does not understand the spec",
}

_STATUSES = {"app": AppStatus, "node": NodeStatus, "lease": LeaseState}


def status_word(kind: str, value: int) -> str:
    """The status of an app, node or lease by its number."""
    try:
        return _STATUSES[kind](value).name.lower()
    except ValueError:
        return str(value)


def rejection(value: Rejection) -> str:
    """Why a node was not chosen."""
    return REJECTIONS[value]


def close_reason(value: int) -> str:
    """Why a lease ended."""
    try:
        return CLOSE_REASONS[CloseReason(value)]
    except ValueError:
        return f"reason {value}"


STANDBY_ENDS = {
    StandbyEnd.USED: "it runs an instance now",
    StandbyEnd.NOT_WANTED: "the app asks for no more, or does not run",
    StandbyEnd.NODE_LOST: "its node is suspended, lost, drained or gone",
    StandbyEnd.UNFIT: "it could not take an instance any more: its room, price or place",
    StandbyEnd.SILENT: "it did not say in time that it holds the images",
    StandbyEnd.LET_GO: "it said that it cannot hold the images",
}


def standby_end(value: int) -> str:
    """Why a node stands by no longer."""
    try:
        return STANDBY_ENDS[StandbyEnd(value)]
    except (ValueError, KeyError):
        return f"reason {value}"


def standby_end_name(value: int) -> str:
    """The same for scripts."""
    try:
        return StandbyEnd(value).name.lower()
    except ValueError:
        return str(value)


def close_name(value: int) -> str:
    """The reason of a closed lease, for scripts."""
    try:
        return CloseReason(value).name.lower()
    except ValueError:
        return str(value)


def failure_name(reason: int, detail: str) -> str | None:
    """What the node reported, for scripts: a closed lease's detail begins with it. None where no node reported."""
    if reason not in (CloseReason.START_FAILED, CloseReason.CRASHED):
        return None
    word = detail.partition(":")[0].replace(" ", "_").upper()
    return word.lower() if word in FailReason.__members__ else None


def rejection_names(counts: Sequence[int]) -> dict[str, int]:
    """Nodes by why they were rejected, for scripts; `counts` as in InstancePending."""
    names = {int(item): item.name.lower() for item in Rejection}
    return {names.get(number, str(number)): int(count) for number, count in enumerate(counts) if number and count}


def tier(value: int) -> str:
    """A tier's name."""
    try:
        return Tier(value).name.capitalize()
    except ValueError:
        return str(value)


def architecture(value: Architecture) -> str:
    """As container images name it."""
    return value.name.lower()
