"""Networks of instances on Docker, and what they share with volumes."""

from collections.abc import Mapping

from flux.runtime.checks import check_name
from flux.runtime.docker.connection import Connection
from flux.runtime.errors import ContainerNotFound, NameConflict
from flux.runtime.types import NetworkView


class Networks:
    """One bridge for each instance. Docker keeps bridges apart: nothing is routed from one to another."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ensure(self, name: str, labels: Mapping[str, str]) -> None:
        check_name(name)
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
                check_same("Network", name, existing.labels, labels)

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
        found = await self._connection.ask(docker.networks.list(filters=label_filter(labels)))
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


def check_same(kind: str, name: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Raises NameConflict when a thing of that name has other labels."""
    if any(found.get(label) != value for label, value in wanted.items()):
        raise NameConflict(f"{kind} {name} exists and belongs to something else.", "Remove it first.")


def label_filter(labels: Mapping[str, str]) -> dict[str, list[str]]:
    """Docker's filter for things that carry all the labels."""
    return {"label": [f"{name}={value}" for name, value in labels.items()]}
