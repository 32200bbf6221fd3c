"""The top-level `volumes` and `networks`, and the volumes that an instance gets in the end."""

from dataclasses import dataclass

from flux.contracts.apps.types import Mount, Volume
from flux.specs.compose.draft import Draft, DraftMount
from flux.specs.compose.extension import Extension
from flux.specs.compose.keys import NETWORK_KEYS, VOLUME_KEYS
from flux.specs.compose.resources import volume_size
from flux.specs.field import Field
from flux.specs.names import MAX_LABEL, find_nearest, is_volume_name, suggest_label

DEFAULT_VOLUME_MIB = 1024
MAX_VOLUMES = 64
VOLUME_FIELDS = (*VOLUME_KEYS, "x-flux-size")


@dataclass(frozen=True, slots=True)
class DeclaredVolume:
    size_mib: int | None
    """None when the file gives no size."""
    place: Field


def read_volumes(section: Field) -> dict[str, DeclaredVolume]:
    """The declared volumes by name."""
    declared = {}
    for entry in section.fields():
        if not is_volume_name(entry.name):
            entry.refuse("a volume name is letters, digits and inner _ . -, at most 63")
        else:
            declared[entry.name] = DeclaredVolume(_declared_size(entry), entry)
    return declared


def _declared_size(entry: Field) -> int | None:
    known = entry.known_fields(VOLUME_FIELDS) if not entry.is_null else {}
    for name in ("name", "labels"):
        if name in known and not known[name].is_off:
            known[name].warn(f"{name} is not used: a volume belongs to one instance")
    if "external" in known and not known["external"].is_off:
        known["external"].refuse(
            "a volume that exists elsewhere can't be mounted on a node: declare it without external"
        )
    driver = known.get("driver")
    if driver is not None and driver.scalar_text() not in ("", "local"):
        driver.refuse("only local volumes exist on a node: remove the driver")
    options = {option.name: option for option in known["driver_opts"].fields()} if "driver_opts" in known else {}
    for name, option in options.items():
        if name in ("type", "device", "o"):
            option.refuse("a volume can't be tied to a path or a server: remove driver_opts (memory only: use tmpfs)")
        elif name != "size":
            option.warn(f"the driver option {name[:60]} is not used")
    chosen = known.get("x-flux-size") or options.get("size")
    return volume_size(chosen) if chosen is not None else None


def read_networks(section: Field) -> None:
    """Networks are not kept apart; what would leave the instance is refused."""
    for entry in section.fields():
        known = entry.known_fields(NETWORK_KEYS) if not entry.is_null else {}
        if "external" in known and not known["external"].is_off:
            known["external"].warn("containers outside this file can't be reached: the network is the instance's own")
        if "internal" in known and not known["internal"].is_off:
            known["internal"].warn("components of an instance reach the internet; the network is not cut off from it")
        driver = known.get("driver")
        if driver is not None and driver.scalar_text() not in ("", "bridge", "overlay"):
            driver.refuse("an instance has one bridge network of its own: remove the driver")


class Volumes:
    """Gives each mount its volume, and each volume its size."""

    def __init__(self, declared: dict[str, DeclaredVolume], extension: Extension) -> None:
        self._declared = declared
        self._sizes = {name: volume_size(field) for name, field in extension.volumes.items()}
        self._used: dict[str, int] = {}
        self._extension = extension
        self._places: list[Field] = []

    def mounts_of(self, draft: Draft) -> tuple[Mount, ...]:
        """The mounts of a component."""
        named = ((self._volume_of(draft, mount), mount) for mount in draft.mounts)
        return tuple(Mount(name, mount.path, mount.read_only) for name, mount in named if name is not None)

    def all(self) -> tuple[Volume, ...]:
        """The volumes in use. Call it after `mounts_of` of every component."""
        for name, field in self._extension.volumes.items():
            if name not in self._used and name not in self._declared:
                nearest = find_nearest(name, [*self._used, *self._declared])
                field.refuse("no service mounts this volume" + (f": did you mean {nearest}?" if nearest else ""))
        for name, volume in self._declared.items():
            if name not in self._used:
                volume.place.warn("no service mounts this volume, so it is not created")
        if len(self._used) > MAX_VOLUMES:
            self._places[0].refuse(f"an instance has at most {MAX_VOLUMES} volumes")
        return tuple(Volume(name, size_mib) for name, size_mib in self._used.items())

    def _volume_of(self, draft: Draft, mount: DraftMount) -> str | None:
        name = mount.volume
        if name is None:
            name = f"{draft.name}-{suggest_label(mount.path)}"[:MAX_LABEL].rstrip("-")
            mount.place.warn(f"the volume has no name; it is called {name}, has {self._size(name)} MiB, and is kept")
        elif name not in self._declared:
            nearest = find_nearest(name, self._declared)
            hint = f"did you mean {nearest}?" if nearest else f"add {name}: under the top-level volumes"
            mount.place.refuse(f"the volume {name} is not declared: {hint}")
            return None
        self._places.append(mount.place)
        if name not in self._used:
            self._used[name] = self._size(name)
            if name in self._declared and self._declared[name].size_mib is None and name not in self._sizes:
                self._declared[name].place.warn(
                    f"the volume has no size, so it gets {DEFAULT_VOLUME_MIB} MiB: set x-flux.volumes.{name}: 5GiB"
                )
            elif name in self._declared:
                self._declared[name].place.honour(f"{self._used[name]} MiB")
        return name

    def _size(self, name: str) -> int:
        declared = self._declared.get(name)
        return self._sizes.get(name) or (declared.size_mib if declared else None) or DEFAULT_VOLUME_MIB
