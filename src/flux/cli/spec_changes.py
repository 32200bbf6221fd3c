"""What differs between two revisions, in words. Pure; of the private half it names variables and never values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from flux.cli import format as show
from flux.cli.dollars import amount
from flux.contracts.apps.types import AppSpec, PrivateComponent, PrivateSpec, Update
from flux.primitives.types import WEI_PER_GWEI

NOTHING = "-"
_WORDS = {
    "cpu_milli": "cpu",
    "memory_mib": "memory",
    "disk_mib": "disk",
    "size_mib": "size",
    "max_price_gwei_hour": "price limit",
    "max_price_nanousd_hour": "price limit in dollars",
    "delay_seconds": "delay",
    "monitor_seconds": "monitor",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    what: str
    before: str
    after: str


def spec_changes(old: AppSpec, new: AppSpec) -> list[Change]:
    """Differences of the public halves."""
    changes = _of_named("component", old.components, new.components, "image")
    changes += _of_named("volume", old.volumes, new.volumes, "size_mib")
    changes += _of_fields("http", old.http, new.http)
    changes += _of_fields("", old.constraints, new.constraints)
    changes += _of_fields("update", old.update or Update(), new.update or Update())
    for name in ("at_most_one", "standby"):
        if (before := getattr(old, name)) != (after := getattr(new, name)):
            changes.append(Change(_word(name), str(before), str(after)))
    return changes


def private_changes(old: PrivateSpec | None, new: PrivateSpec | None, *, had: bool, has: bool) -> list[Change]:
    """Differences of the private halves; None for one that cannot be read on this machine, `had`/`has` whether there
    is one."""
    if not had and not has:
        return []
    if (had and old is None) or (has and new is None):
        return [Change("environment, command", "cannot be read on this machine", "not compared")]
    before = {item.name: item for item in (old or PrivateSpec()).components}
    after = {item.name: item for item in (new or PrivateSpec()).components}
    changes: list[Change] = []
    for name in dict.fromkeys((*before, *after)):
        empty = PrivateComponent(name)
        changes += _of_private(name, before.get(name, empty), after.get(name, empty))
    contents = [{secret.name: secret for secret in (half or PrivateSpec()).secrets} for half in (old, new)]
    for name in sorted(contents[0].keys() | contents[1].keys()):
        if contents[0].get(name) != contents[1].get(name):
            changed = "changed" if all(name in content for content in contents) else "added"
            changes.append(
                Change(
                    f"secret {name}",
                    "set" if name in contents[0] else NOTHING,
                    changed if name in contents[1] else "removed",
                )
            )
    if (old or PrivateSpec()).registries != (new or PrivateSpec()).registries:
        changes.append(Change("registry credentials", "other", "changed"))
    return changes


def _of_private(name: str, old: PrivateComponent, new: PrivateComponent) -> list[Change]:
    changes = []
    before, after = dict(old.environment), dict(new.environment)
    for variable in sorted(before.keys() | after.keys()):
        if variable not in before:
            changes.append(Change(f"{name}: variable {variable}", NOTHING, "added"))
        elif variable not in after:
            changes.append(Change(f"{name}: variable {variable}", "set", "removed"))
        elif before[variable] != after[variable]:
            changes.append(Change(f"{name}: variable {variable}", "set", "another value"))
    for field in msgspec.structs.fields(PrivateComponent):
        if field.name not in ("name", "environment") and getattr(old, field.name) != getattr(new, field.name):
            changes.append(Change(f"{name}: {_word(field.name)}", "other", "changed"))
    return changes


def _of_named(kind: str, old: Sequence[Any], new: Sequence[Any], key: str) -> list[Change]:
    before, after = {item.name: item for item in old}, {item.name: item for item in new}
    changes: list[Change] = []
    for name in dict.fromkeys((*before, *after)):
        if name not in before:
            changes.append(Change(f"{kind} {name}", NOTHING, _shown(key, getattr(after[name], key))))
        elif name not in after:
            changes.append(Change(f"{kind} {name}", _shown(key, getattr(before[name], key)), "removed"))
        else:
            changes += _of_fields(name, before[name], after[name])
    return changes


def _of_fields(where: str, old: Any, new: Any) -> list[Change]:
    """Differences of two structures of one kind, or of one and nothing."""
    if old == new:
        return []
    if old is None or new is None:
        return [Change(where, NOTHING if old is None else "there", "removed" if new is None else "added")]
    return [
        Change(
            f"{where}: {_word(field.name)}" if where else _word(field.name),
            _shown(field.name, getattr(old, field.name)),
            _shown(field.name, getattr(new, field.name)),
        )
        for field in msgspec.structs.fields(type(new))
        if getattr(old, field.name) != getattr(new, field.name)
    ]


def _word(name: str) -> str:
    return _WORDS.get(name, name.replace("_", " "))


def _shown(name: str, value: Any) -> str:
    match name, value:
        case "max_price_gwei_hour", int():
            return f"{show.number(value * WEI_PER_GWEI)} FLUX/h" if value else "any price"
        case "max_price_nanousd_hour", int():
            return f"{amount(value * 10**9)}/h" if value else NOTHING
        case "cpu_milli", int():
            return show.cores(value)
        case _, int() if name.endswith("_mib") and not isinstance(value, bool):
            return show.memory(value)
        case _, int() if name.endswith("_seconds") and not isinstance(value, bool):
            return f"{value} s"
        case _, None | "" | ():
            return NOTHING
        case _, tuple():
            return ", ".join(_part(item) for item in value)
    return str(value) if isinstance(value, str | int) else _part(value)


def _part(value: Any) -> str:
    """An item of a list: a text, or the facts of a structure."""
    if isinstance(value, msgspec.Struct):
        return " ".join(_flat(getattr(value, field.name) for field in msgspec.structs.fields(type(value))))
    return str(value)


def _flat(values: Iterable[Any]) -> list[str]:
    return [str(value) for value in values if value not in ("", None, False)]
