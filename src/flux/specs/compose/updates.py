"""How a new version comes in: `x-flux.update`, and Compose's own `deploy.update_config` in the same words."""

from collections.abc import Mapping

from flux.contracts.apps.types import MAX_PARALLELISM, MAX_UPDATE_SECONDS, UPDATE_ACTIONS, UPDATE_ORDERS, Update
from flux.specs.compose.draft import Draft
from flux.specs.field import Field
from flux.specs.quantities import parse_duration_ms

KEYS = ("parallelism", "order", "delay", "monitor", "on_failure", "failure_action", "max_failure_ratio")
DEFAULT = Update()


def read_update(field: Field) -> Update:
    """The settings of one block; a mistake in it is a finding, and counts as if the key were absent."""
    known = {name: value for name, value in field.known_fields(KEYS).items() if not value.is_null}
    action = known.get("on_failure", known.get("failure_action"))
    if "max_failure_ratio" in known and known["max_failure_ratio"].scalar_text().strip("0.") != "":
        known["max_failure_ratio"].warn("max_failure_ratio is not used: the first failure counts, see on_failure")
    made = Update(
        parallelism=_parallelism(known["parallelism"]) if "parallelism" in known else DEFAULT.parallelism,
        order=(known["order"].choice(UPDATE_ORDERS) if "order" in known else None) or DEFAULT.order,
        delay_seconds=_seconds(known["delay"]) if "delay" in known else DEFAULT.delay_seconds,
        monitor_seconds=_seconds(known["monitor"]) if "monitor" in known else DEFAULT.monitor_seconds,
        on_failure=(action.choice(UPDATE_ACTIONS) if action is not None else None) or DEFAULT.on_failure,
    )
    field.honour(
        f"an update brings {made.parallelism} at a time ({made.order}), watches each for {made.monitor_seconds} s; "
        f"when one fails: {made.on_failure}"
    )
    return made


def find_update(drafts: Mapping[str, Draft], own: Update | None, *, has_volumes: bool, place: Field) -> Update | None:
    """What the whole file says; None for the DEFAULT. All components of an instance are updated together."""
    told = [draft for draft in drafts.values() if draft.update is not None]
    chosen = own or (told[0].update if told else None)
    if own is None:
        for draft in told[1:]:
            if draft.update != chosen:
                draft.place.warn(
                    f"update_config differs from that of {told[0].name}, which counts: an instance is updated as a "
                    "whole; say it once in x-flux.update"
                )
    if chosen is not None and chosen.order == "start-first" and has_volumes:
        place.refuse("start-first would open a volume twice at one time: write order: stop-first, or leave it out")
        return None
    return None if chosen == DEFAULT else chosen


def _parallelism(field: Field) -> int:
    number = field.integer(minimum=0, maximum=MAX_PARALLELISM)
    if number is None:
        return DEFAULT.parallelism
    # To Compose 0 means all at once.
    return number or MAX_PARALLELISM


def _seconds(field: Field) -> int:
    """Whole seconds, rounded up, of a duration such as 10s or of a bare number of seconds."""
    seconds = field.quantity(_parse_seconds, what="a duration such as 10s")
    if seconds is not None and seconds > MAX_UPDATE_SECONDS:
        field.refuse(f"at most {MAX_UPDATE_SECONDS} s are possible")
        return 0
    return seconds or 0


def _parse_seconds(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return int(text)
    return -(-parse_duration_ms(text) // 1000)
