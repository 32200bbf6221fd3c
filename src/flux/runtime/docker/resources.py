"""Networks and volumes of instances on Docker."""

from collections.abc import Mapping
from typing import Any

from flux.runtime.checks import check_name
from flux.runtime.docker.connection import Connection
from flux.runtime.errors import ContainerNotFound, NameConflict, RuntimeFailure
from flux.runtime.types import NetworkView, VolumeView

_SIZE_LABEL = "flux.size_mib"
"""Docker does not give a volume's options back on every storage driver, but its labels."""


class Networks:
    """One bridge for each instance. Docker keeps bridges apart: nothing is routed from one to another."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ensure(self, name: str, labels: Mapping[str, str]) -> None:
        check_name(name)
        existing = await self._find(name)
        if existing is None:
            await self._create(name, labels)
            return
        _check_same("Network", name, existing.labels, labels)

    async def remove(self, name: str) -> None:
        check_name(name)
        docker = await self._connection.docker()
        try:
            network = await self._connection.ask(docker.networks.get(name))
            await self._connection.ask(network.delete())
        except ContainerNotFound:
            return

    async def find_all(self, labels: Mapping[str, str]) -> list[NetworkView]:
        docker = await self._connection.docker()
        found = await self._connection.ask(docker.networks.list(filters=_label_filter(labels)))
        return sorted(
            (NetworkView(network["Name"], network["Labels"] or {}) for network in found), key=lambda view: view.name
        )

    async def _find(self, name: str) -> NetworkView | None:
        docker = await self._connection.docker()
        # Docker's name filter matches parts of names too.
        for network in await self._connection.ask(docker.networks.list(filters={"name": [name]})):
            if network["Name"] == name:
                return NetworkView(name, network["Labels"] or {})
        return None

    async def _create(self, name: str, labels: Mapping[str, str]) -> None:
        docker = await self._connection.docker()
        request = {
            "Name": name,
            "CheckDuplicate": True,
            "Driver": "bridge",
            "Labels": dict(labels),
            "Options": {"com.docker.network.bridge.enable_icc": "true"},
        }
        try:
            await self._connection.ask(docker.networks.create(request))
        except NameConflict:
            existing = await self._find(name)
            if existing is not None:
                _check_same("Network", name, existing.labels, labels)


class Volumes:
    """Named volumes. Their size is limited where Docker's storage can (xfs with project quotas), else only counted."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._limits_size = True
        """Until Docker says that its storage has no quotas."""

    async def ensure(self, name: str, labels: Mapping[str, str], size_mib: int) -> VolumeView:
        check_name(name)
        existing = await self._find(name)
        if existing is None:
            existing = await self._create(name, labels, size_mib)
        _check_same("Volume", name, existing.labels, labels)
        return existing

    async def remove(self, name: str) -> None:
        check_name(name)
        volumes = await self._api()
        try:
            volume = await self._connection.ask(volumes.get(name))
            await self._connection.ask(volume.delete())
        except ContainerNotFound:
            return

    async def find_all(self, labels: Mapping[str, str]) -> list[VolumeView]:
        volumes = await self._api()
        found = await self._connection.ask(volumes.list(filters=_label_filter(labels)))
        return sorted((_volume_view(volume) for volume in found["Volumes"] or ()), key=lambda view: view.name)

    async def _api(self) -> Any:
        """aiodocker's volumes, which have no types."""
        return (await self._connection.docker()).volumes

    async def _find(self, name: str) -> VolumeView | None:
        volumes = await self._api()
        found = await self._connection.ask(volumes.list(filters={"name": [name]}))
        for volume in found["Volumes"] or ():
            if volume["Name"] == name:
                return _volume_view(volume)
        return None

    async def _create(self, name: str, labels: Mapping[str, str], size_mib: int) -> VolumeView:
        volumes = await self._api()
        request = {
            "Name": name,
            "Driver": "local",
            "Labels": {**labels, _SIZE_LABEL: str(size_mib)},
            "DriverOpts": {"size": f"{size_mib}m"} if self._limits_size and size_mib else {},
        }
        try:
            volume = await self._connection.ask(volumes.create(request))
        except RuntimeFailure as error:
            if not self._limits_size or "quota" not in error.message:
                raise
            self._limits_size = False
            return await self._create(name, labels, size_mib)
        return _volume_view(await self._connection.ask(volume.show()))


def _volume_view(volume: Mapping[str, Any]) -> VolumeView:
    labels = dict(volume["Labels"] or {})
    size = labels.pop(_SIZE_LABEL, "")
    limited = "size" in (volume.get("Options") or {})
    return VolumeView(volume["Name"], labels, int(size) if size.isdigit() else 0, limited)


def _check_same(kind: str, name: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    if any(found.get(label) != value for label, value in wanted.items()):
        raise NameConflict(f"{kind} {name} exists and belongs to something else.", "Remove it first.")


def _label_filter(labels: Mapping[str, str]) -> dict[str, list[str]]:
    return {"label": [f"{name}={value}" for name, value in labels.items()]}
