"""Secrets of a Compose file: values from files or variables, which a service gets as files in memory."""

import re
from pathlib import PurePosixPath

from flux.contracts.apps.types import Secret
from flux.specs.compose.draft import Draft, DraftSecret
from flux.specs.compose.process import Sources
from flux.specs.compose.storage import plain_path
from flux.specs.field import Field
from flux.specs.names import find_nearest

FOLDER = "/run/secrets"
MAX_BYTES = 32 * 1024
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_MODE = re.compile(r"(?:0o?)?([0-7]{3})", re.ASCII)
_LONG_KEYS = ("source", "target", "uid", "gid", "mode")
_DECLARED_KEYS = ("file", "environment", "external", "name", "labels")


def read_secrets(field: Field, draft: Draft) -> None:
    """Which secrets a service gets, and where."""
    for item in field.items():
        known = item.known_fields(_LONG_KEYS) if item.is_mapping else {}
        source = known["source"].text(what="a name") if "source" in known else None
        if not item.is_mapping:
            source = item.text(what="the name of a secret")
        elif "source" not in known:
            item.refuse("the secret is not named: add source: name")
        for owner in ("uid", "gid"):
            if owner in known:
                known[owner].warn(f"{owner} is not used: the file belongs to root and can be read as its mode says")
        if source is not None:
            draft.secrets.append(DraftSecret(source, _target(known.get("target")), _mode(known.get("mode")), item))


def secrets_of(section: Field | None, drafts: dict[str, Draft], sources: Sources) -> tuple[Secret, ...]:
    """What the services get of the secrets that the file declares, sorted."""
    declared = {field.name: field for field in section.fields()} if section is not None else {}
    values: dict[str, bytes | None] = {}
    found: list[Secret] = []
    for draft in drafts.values():
        for wanted in draft.secrets:
            if wanted.source not in declared:
                nearest = find_nearest(wanted.source, declared)
                meant = f": did you mean {nearest}?" if nearest else ", with file: or environment:"
                wanted.place.refuse(f"add {wanted.source[:64]} under the top-level secrets{meant}")
                continue
            if wanted.source not in values:
                values[wanted.source] = _value(declared[wanted.source], sources)
            value = values[wanted.source]
            if value is not None:
                found.append(Secret(wanted.source, value, (draft.name,), path=wanted.path, mode=wanted.mode))
        _check_paths(draft)
    return tuple(sorted(found, key=lambda secret: (secret.name, secret.components)))


def _check_paths(draft: Draft) -> None:
    """Nothing else is mounted where a secret is."""
    taken = {*draft.tmpfs, *(mount.path for mount in draft.mounts)}
    for secret in draft.secrets:
        path = secret.path or f"{FOLDER}/{secret.source}"
        if path in taken:
            secret.place.refuse(f"something is mounted at {path} already: give it another target")
        taken.add(path)


def _value(field: Field, sources: Sources) -> bytes | None:
    """The bytes of a declared secret; None when there are none."""
    if not _NAME.fullmatch(field.name):
        field.refuse("a secret's name is 1–64 letters, digits and inner _ . -: rename it")
        return None
    known = field.known_fields(_DECLARED_KEYS)
    if "external" in known and known["external"].boolean():
        known["external"].warn(
            f"it is not in this file: components run without it until `flux app secret set APP {field.name}`"
        )
        return None
    if "file" in known:
        return _file(known["file"], sources)
    if "environment" in known:
        variable = known["environment"].text(what="the name of a variable")
        if variable is not None and variable not in sources.variables:
            known["environment"].refuse(f"{variable[:64]} is not set in the environment or in .env: set it")
        elif variable is not None:
            return _bounded(known["environment"], sources.variables[variable].encode())
        return None
    field.refuse("its value is missing: add file: ./path or environment: VARIABLE")
    return None


def _file(field: Field, sources: Sources) -> bytes | None:
    path = field.text(what="the path of a file")
    if path is None:
        return None
    if sources.read_file is None:
        field.refuse("files can't be read here: use environment: VARIABLE")
        return None
    try:
        return _bounded(field, sources.read_file(PurePosixPath(path)))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        field.refuse(f"the file {path} can't be read: {reason}")
        return None


def _bounded(field: Field, data: bytes) -> bytes | None:
    if len(data) <= MAX_BYTES:
        field.honour("private: encrypted for the nodes that run it, a file in memory there")
        return data
    field.refuse(f"a secret has at most {MAX_BYTES // 1024} KiB: put large files into the image")
    return None


def _target(field: Field | None) -> str:
    """The path in the container; empty for the usual one."""
    text = None if field is None else field.text(what="a path")
    if field is None or text is None:
        return ""
    path = plain_path(text if text.startswith("/") else f"{FOLDER}/{text}")
    if path is None or path == "/" or text.endswith("/"):
        field.refuse("expected the path of a file in the container")
        return ""
    return path


def _mode(field: Field | None) -> int:
    """Permissions; YAML reads 0440 as an octal number, and the text is what was written."""
    text = None if field is None else field.text(what="permissions such as 0440")
    if field is None or text is None:
        return 0o444
    match = _MODE.fullmatch(text)
    if match is None:
        field.refuse("expected permissions such as 0440")
        return 0o444
    return int(match[1], 8)
