"""Volumes and tmpfs of a service. Named volumes live beside the instance; paths of a host do not exist on a node."""

import posixpath
import re

from flux.specs.compose.draft import Draft, DraftMount
from flux.specs.field import Field
from flux.specs.names import has_control_character, is_volume_name, suggest_label

LONG_KEYS = ("type", "source", "target", "read_only", "consistency", "volume", "tmpfs", "bind", "image")
MAX_PATH = 255
MAX_MOUNTS = 64
CLOCK_FILES = ("/etc/localtime", "/etc/timezone")
ENGINE_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/var/run/podman/podman.sock")

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")
_MODES = ("rw", "ro", "z", "Z", "cached", "delegated", "consistent", "nocopy", "rprivate", "private", "rslave", "slave")


def plain_path(text: str) -> str | None:
    """An absolute path without . and .. and double slashes; None when it is none."""
    if not text.startswith("/") or len(text) > MAX_PATH or has_control_character(text):
        return None
    return "/" + posixpath.normpath(text).lstrip("/")


def read_volumes(field: Field, draft: Draft) -> None:
    before = len(draft.mounts)
    for item in field.items():
        if item.is_mapping:
            _long(item, draft)
        else:
            _short(item, draft)
    _check_count(field, draft)
    named = list(dict.fromkeys(mount.volume for mount in draft.mounts[before:] if mount.volume))
    if named:
        field.honour(f"the volume {', '.join(named)} stays on the node with the instance")


def read_tmpfs(field: Field, draft: Draft) -> None:
    for item in field.items_or_one():
        text = item.text(what="a path")
        if text is not None:
            path, _, options = text.partition(":")
            if options:
                item.warn("options of a tmpfs are not used: it may grow within the component's memory limit")
            _add_tmpfs(item, draft, path)
    _check_count(field, draft)
    if draft.tmpfs:
        field.honour(f"{', '.join(draft.tmpfs)} is kept in memory")


def _check_count(field: Field, draft: Draft) -> None:
    if len(draft.mounts) + len(draft.tmpfs) > MAX_MOUNTS:
        field.refuse(f"a component has at most {MAX_MOUNTS} volumes and tmpfs")


def _short(item: Field, draft: Draft) -> None:
    text = item.text(what="a volume such as data:/var/lib/data")
    if text is None:
        return
    source, target, modes = _split(text)
    if target == "":
        source, target = "", source
    unknown = [mode for mode in modes if mode not in _MODES]
    if unknown:
        item.refuse(f"{unknown[0][:30]!r} is not a mode of a volume: write volume:/path or volume:/path:ro")
        return
    if "nocopy" in modes:
        item.warn("nocopy is not used: a new volume begins with what the image has at that path")
    _add(item, draft, source, target, read_only="ro" in modes)


def _split(text: str) -> tuple[str, str, list[str]]:
    head, rest = (text[:2], text[2:]) if _WINDOWS.match(text) else ("", text)
    source, *parts = rest.split(":")
    return head + source, parts[0] if parts else "", [mode for part in parts[1:] for mode in part.split(",")]


def _long(item: Field, draft: Draft) -> None:
    known = item.known_fields(LONG_KEYS)
    kind = (
        known["type"].choice(("volume", "bind", "tmpfs", "npipe", "cluster", "image")) if "type" in known else "volume"
    )
    target = known["target"].text(what="a path") if "target" in known else None
    if "target" not in known:
        item.refuse("the path in the container is missing: add target: /path")
    if kind is None or target is None:
        return
    if kind == "tmpfs":
        if "tmpfs" in known:
            known["tmpfs"].warn("options of a tmpfs are not used: it may grow within the component's memory limit")
        _add_tmpfs(item, draft, target)
        return
    source = (known["source"].text() or "") if "source" in known else ""
    if kind == "bind":
        _host_path(item, source, target)
        return
    if kind != "volume":
        item.refuse(f"a mount of type {kind} can't be honoured on a node: use a named volume")
        return
    read_only = bool(known["read_only"].boolean()) if "read_only" in known else False
    if "volume" in known:
        options = known["volume"].known_fields(("nocopy", "subpath", "labels"))
        if "subpath" in options:
            options["subpath"].refuse("a part of a volume can't be mounted: give that part a volume of its own")
        if "nocopy" in options and options["nocopy"].boolean():
            options["nocopy"].warn("nocopy is not used: a new volume begins with what the image has at that path")
    _add(item, draft, source, target, read_only=read_only)


def _add(item: Field, draft: Draft, source: str, target: str, *, read_only: bool) -> None:
    if source and (source[0] in "./~\\" or "/" in source or "\\" in source or _WINDOWS.match(source)):
        _host_path(item, source, target)
        return
    path = _path(item, target)
    if path is None:
        return
    if source and not is_volume_name(source):
        item.refuse(f"{source[:60]!r} is not a volume name: letters, digits and inner _ . -, at most 63")
        return
    if any(mount.path == path for mount in draft.mounts) or path in draft.tmpfs:
        item.refuse(f"something is mounted at {path} already: keep one of them")
        return
    draft.mounts.append(DraftMount(source or None, path, read_only, item))


def _host_path(item: Field, source: str, target: str) -> None:
    plain = source.rstrip("/")
    if plain in CLOCK_FILES:
        item.warn(f"{plain} of the host is not mounted: set the time zone with the variable TZ")
    elif plain in ENGINE_SOCKETS:
        item.refuse("the container engine's socket would hand over the host, so no node offers it: remove this line")
    else:
        name = suggest_label(plain.replace("\\", "/").rsplit("/", 1)[-1].split(".")[0]) or "data"
        shown = target if len(target) <= 80 else f"{target[:80]}…"
        item.refuse(
            f"a path of the host ({source[:80]}) does not exist on the node that will run this: use a named volume, "
            f"{name}:{shown}, with {name}: under the top-level volumes, or put the file into the image"
        )


def _add_tmpfs(item: Field, draft: Draft, target: str) -> None:
    path = _path(item, target)
    if path is None:
        return
    if any(mount.path == path for mount in draft.mounts):
        item.refuse(f"something is mounted at {path} already: keep one of them")
    elif path not in draft.tmpfs:
        draft.tmpfs.append(path)


def _path(item: Field, text: str) -> str | None:
    path = plain_path(text)
    if path is None:
        item.refuse(f"{text[:60]!r} is not an absolute path in the container, of at most {MAX_PATH} characters")
        return None
    if path == "/":
        item.refuse("nothing can be mounted over the whole file system (/): name a folder")
        return None
    return path
