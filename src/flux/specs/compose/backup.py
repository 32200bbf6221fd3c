"""`x-flux.backup`: what runs in a service before and after its volumes are read for a backup.

    x-flux:
      backup:
        db: {pre: "psql -U postgres -c CHECKPOINT", post: ["rm", "-f", "/data/dump"]}

A text runs in a shell, a list as it is, as in a Compose health check. Both are private.
"""

from collections.abc import Mapping

from flux.specs.compose.draft import Draft
from flux.specs.compose.process import SHELL
from flux.specs.field import Field
from flux.specs.names import find_nearest

KEYS = ("pre", "post")


def apply_backup(block: Field | None, drafts: Mapping[str, Draft]) -> None:
    """Give the drafts their commands."""
    for entry in block.fields_of_any_name() if block is not None else ():
        draft = drafts.get(entry.name)
        if draft is None:
            nearest = find_nearest(entry.name, drafts)
            entry.refuse(f"there is no service {entry.name[:60]!r}" + (f": did you mean {nearest}?" if nearest else ""))
            continue
        known = entry.known_fields(KEYS)
        draft.backup_pre = _read_command(known.get("pre"))
        draft.backup_post = _read_command(known.get("post"))
        if draft.backup_pre or draft.backup_post:
            entry.honour("private: runs around `flux app backup`, the second also when it fails")


def _read_command(field: Field | None) -> tuple[str, ...] | None:
    if field is None or field.is_null:
        return None
    if not field.is_sequence:
        text = field.text(what="a command")
        return (*SHELL, text) if text else None
    words = tuple(word for item in field.items() if (word := item.text()) is not None)
    return words or None
