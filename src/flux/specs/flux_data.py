"""`containerData` of a Flux spec: which folders of a component are kept, and on which volume (FluxOS mountParser.js).

The first part is [flags]:/path, or only /path; after it, divided by |, further mounts: m:sub:/path (a folder),
f:file:/path (a file), N:/path (the data of component N), c:N:sub:/path and cf:N:file:/path (parts of another's).
"""

import posixpath
import re

from flux.contracts.apps.types import Mount
from flux.specs.flux_component import FluxComponent
from flux.specs.names import suggest_label

SYNCHRONISED = frozenset("rgs")

_FIRST = re.compile(r"(?:([a-zA-Z]*):)?(/[^:|]*)")
_MORE = re.compile(r"(?:(m|f|c|cf):)?(?:([0-9]+):)?(?:([^:|/][^:|]*):)?(/[^:|]*)")


class Storage:
    """The volumes of all components, and who mounts them where."""

    def __init__(self, components: list[FluxComponent], instances: int) -> None:
        self.sizes: dict[str, int] = {}
        """MiB by volume name."""
        self._mounts: dict[str, list[Mount]] = {component.name: [] for component in components}
        self._components = components
        self._instances = instances
        for component in components:
            self._read(component)

    def mounts_of(self, component: FluxComponent) -> tuple[Mount, ...]:
        return tuple(self._mounts[component.name])

    def _read(self, component: FluxComponent) -> None:
        field = component.data
        if field is None:
            return
        text = field.text(what="the path of the data, such as /data")
        if text is None or text.strip() in ("", "/"):
            field.refuse("containerData names the folder to keep, such as /data; / itself can't be kept")
            return
        first, *more = text.strip().split("|")
        match = _FIRST.fullmatch(first)
        path = _path(match[2]) if match else None
        if match is None or path is None:
            field.refuse("expected containerData as /path or flags:/path, further mounts divided by |")
            return
        if SYNCHRONISED & set((match[1] or "").lower()):
            self._report_synchronised(component)
        self._mount(component, _volume_name(component.name, "data"), path, component.disk_mib)
        for part in more:
            self._read_more(component, part)

    def _report_synchronised(self, component: FluxComponent) -> None:
        if component.data is None:
            return
        if self._instances > 1:
            component.data.refuse(
                "data is not synchronised between instances here (flags r, g, s): set instances to 1, or keep the data "
                "in a database of one instance"
            )
        else:
            component.data.warn("the flags r, g, s are not used: one instance has nothing to synchronise with")

    def _read_more(self, component: FluxComponent, part: str) -> None:
        match = _MORE.fullmatch(part.strip())
        path = _path(match[4]) if match else None
        if component.data is None:
            return
        if match is None or path is None:
            component.data.refuse(f"the mount {part[:60]!r} is not understood: write m:folder:/path")
            return
        kind, number, folder = match[1], match[2], match[3]
        if kind in ("f", "cf"):
            component.data.refuse(f"the single file {path} can't be kept: keep the folder that contains it")
            return
        owner = component
        if number is not None:
            if int(number[:6]) >= len(self._components):
                component.data.refuse(f"there is no component {number[:6]}: components count from 0")
                return
            owner = self._components[int(number)]
        # A folder of another's data is a volume of its own here, which both mount.
        self._mount(component, _volume_name(owner.name, folder or "data"), path, owner.disk_mib)
        if folder and owner is component:
            component.data.warn(f"{path} is a volume of its own here, as large as hdd")

    def _mount(self, component: FluxComponent, volume: str, path: str, size_mib: int) -> None:
        mounts = self._mounts[component.name]
        if component.data is not None and any(mount.path == path for mount in mounts):
            component.data.refuse(f"something is mounted at {path} already")
            return
        mounts.append(Mount(volume, path))
        self.sizes.setdefault(volume, size_mib)
        if component.data is not None:
            component.data.honour(f"{path} is kept on a volume of {self.sizes[volume]} MiB")


def _volume_name(component: str, folder: str) -> str:
    return f"{component}-{suggest_label(folder) or 'data'}"[:63].rstrip("-")


def _path(text: str) -> str | None:
    path = "/" + posixpath.normpath(text.strip()).lstrip("/")
    is_fit = path != "/" and len(path) <= 255 and ".." not in text.split("/") and text.isprintable()
    return path if is_fit else None
