"""What a service runs and with which variables: command, entrypoint, environment, env_file, healthcheck.

All of it but the health check's rhythm is the private half; no message here contains a value.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from flux.contracts.apps.types import Health
from flux.specs.compose.dotenv import parse_dotenv
from flux.specs.compose.draft import Draft
from flux.specs.field import Field
from flux.specs.loaded import ReadFile
from flux.specs.quantities import parse_duration_ms

HEALTH_KEYS = ("test", "interval", "timeout", "retries", "start_period", "start_interval", "disable")
ENV_FILE_KEYS = ("path", "required", "format")
MAX_DURATION_MS = 86_400_000
SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values from outside the file come from."""

    variables: Mapping[str, str]
    """The environment that the caller passed, over `.env`."""
    read_file: ReadFile | None
    """None: no file may be read."""


def read_command(field: Field, draft: Draft, _: Sources) -> None:
    draft.command = _argv(field)
    _honour_private(field, draft.command is not None)


def read_entrypoint(field: Field, draft: Draft, _: Sources) -> None:
    draft.entrypoint = _argv(field)
    _honour_private(field, draft.entrypoint is not None)


def read_environment(field: Field, draft: Draft, sources: Sources) -> None:
    if field.is_sequence:
        pairs = [(item, item.text()) for item in field.items()]
        for item, text in pairs:
            if text is not None:
                name, sign, value = text.partition("=")
                _add_variable(item, draft, sources, name, value if sign else None)
    else:
        for entry in field.fields_of_any_name():
            _add_variable(entry, draft, sources, entry.name, None if entry.is_null else entry.text())
    _honour_private(field, bool(draft.environment))


def _add_variable(field: Field, draft: Draft, sources: Sources, name: str, value: str | None) -> None:
    if not name or "=" in name or "\0" in name or name != name.strip():
        field.refuse("expected NAME=value, with a name and no space around it")
        return
    if name in draft.environment and field.name != name:
        field.warn(f"{name} is set twice; the last value is used")
    if value is not None:
        draft.environment[name] = value
    elif name in sources.variables:
        draft.environment[name] = sources.variables[name]
    else:
        draft.environment.pop(name, None)
        field.warn(f"{name} has no value here and is not set in the environment or in .env, so it is left out")


def read_env_file(field: Field, draft: Draft, sources: Sources) -> None:
    for item in field.items_or_one():
        path, required, raw = _env_file_entry(item)
        if path is None:
            continue
        data = _read(item, path, sources.read_file, required=required)
        if data is not None:
            draft.file_environment |= parse_dotenv(data, path, sources.variables, field.findings, raw=raw)
    _honour_private(field, bool(draft.file_environment))


def _env_file_entry(item: Field) -> tuple[str | None, bool, bool]:
    if not item.is_mapping:
        return item.text(what="the path of a file"), True, False
    known = item.known_fields(ENV_FILE_KEYS)
    path = known["path"].text() if "path" in known else None
    if "path" not in known:
        item.refuse("the path of the file is missing: add path: ./file.env")
    required = known["required"].boolean() if "required" in known else True
    raw = "format" in known and known["format"].choice(("raw",)) is not None
    return path, required is not False, raw


def _read(item: Field, path: str, read_file: ReadFile | None, *, required: bool) -> bytes | None:
    if read_file is None:
        item.refuse("files can't be read here: put the variables into environment")
        return None
    try:
        return read_file(PurePosixPath(path))
    except FileNotFoundError:
        if required:
            item.refuse(f"the file {path} does not exist: create it, or write required: false")
        else:
            item.warn(f"the file {path} does not exist and is not required")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        item.refuse(f"the file {path} can't be read: {reason}")
    return None


def read_healthcheck(field: Field, draft: Draft, _: Sources) -> None:
    known = field.known_fields(HEALTH_KEYS)
    if "disable" in known and known["disable"].boolean():
        known["disable"].honour("no health check: the component counts as healthy once it runs")
        return
    if "test" not in known:
        if known:
            field.refuse("a health check needs a test, such as test: [CMD, curl, -f, http://localhost/]")
        return
    argv = _health_argv(known["test"])
    if argv is None:
        return
    if "start_interval" in known:
        known["start_interval"].warn("start_interval is not used; interval holds from the start")
    draft.health_command = argv
    draft.health = Health("command", 0, "", *read_rhythm(known, 30_000, 30_000))
    field.honour("decides when the component counts as healthy; the command is private, its rhythm is public")


def read_rhythm(known: Mapping[str, Field], interval_ms: int, timeout_ms: int) -> tuple[int, int, int, int]:
    """Interval, timeout, retries and start period of a check, the times in ms; `interval_ms` and `timeout_ms` where
    nothing is given."""
    return (
        _duration(known, "interval", interval_ms, minimum=100),
        _duration(known, "timeout", timeout_ms, minimum=100),
        _retries(known),
        _duration(known, "start_period", 0, minimum=0),
    )


def _health_argv(test: Field) -> tuple[str, ...] | None:
    """The argv of the test; None when there is none or it can't be read."""
    if not test.is_sequence:
        text = test.text(what="a command")
        if text == "NONE":
            return None
        if text is not None and not text.strip():
            test.refuse("the test is empty")
            return None
        return (*SHELL, text) if text is not None else None
    words = [item.text() for item in test.items()]
    if any(word is None for word in words):
        return None
    match [word for word in words if word is not None]:
        case ["NONE"]:
            return None
        case ["CMD-SHELL", text]:
            return (*SHELL, text)
        case ["CMD", program, *arguments]:
            return (program, *arguments)
    test.refuse("a test in list form begins with CMD, CMD-SHELL (and one text after it), or is [NONE]")
    return None


def _duration(known: Mapping[str, Field], name: str, default: int, *, minimum: int) -> int:
    if name not in known:
        return default
    parsed = known[name].quantity(parse_duration_ms, what="a duration such as 30s")
    if parsed is not None and parsed < minimum:
        known[name].warn(f"shorter than {minimum} ms; {minimum} ms is used")
        return minimum
    if parsed is not None and parsed > MAX_DURATION_MS:
        known[name].refuse("longer than a day")
    return default if parsed is None else parsed


def _retries(known: Mapping[str, Field]) -> int:
    retries = known["retries"].integer(minimum=1, maximum=100) if "retries" in known else None
    return 3 if retries is None else retries


def _argv(field: Field) -> tuple[str, ...] | None:
    """A command as a list, or split as a POSIX shell splits words. An empty one clears what the image says."""
    if field.is_null:
        return None
    if not field.is_sequence:
        text = field.text(what="a command")
        if text is None:
            return None
        try:
            return tuple(shlex.split(text))
        except ValueError:
            field.refuse("a quote in this command is never closed")
            return None
    words = [item.text() for item in field.items()]
    return None if None in words else tuple(word for word in words if word is not None)


def _honour_private(field: Field, present: object) -> None:
    if present:
        field.honour("private: encrypted for the nodes that run it, never readable on chain")
