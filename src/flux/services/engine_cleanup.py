"""What a local cloud leaves on a container engine, found by its labels and removed."""

import asyncio
from collections.abc import Mapping

from flux.runtime.errors import InUse
from flux.runtime.port import ContainerRuntime


async def remove_containers(runtime: ContainerRuntime, labels: Mapping[str, str]) -> int:
    """Kill and remove containers with these labels, and their networks; how many containers there were."""
    containers = await runtime.list_containers(labels)
    await asyncio.gather(*(runtime.remove(container.id, force=True) for container in containers))
    networks = await runtime.list_networks(labels)
    await asyncio.gather(*(_remove_network(runtime, network.name) for network in networks))
    return len(containers)


async def remove_volumes(runtime: ContainerRuntime, labels: Mapping[str, str]) -> int:
    """Remove volumes with these labels and their contents; how many there were."""
    volumes = await runtime.list_volumes(labels)
    await asyncio.gather(*(runtime.remove_volume(volume.name) for volume in volumes))
    return len(volumes)


async def _remove_network(runtime: ContainerRuntime, name: str) -> None:
    """The engine takes a moment to notice that the last container is gone."""
    for attempt in range(20):
        try:
            await runtime.remove_network(name)
        except InUse:
            if attempt == 19:
                raise
            await asyncio.sleep(0.1)
        else:
            return
