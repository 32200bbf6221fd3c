"""What every adapter of the runtime port promises about images, and that an agent removes those that it fetched."""

import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from flux.agent.desired import DesiredInstance
from flux.agent.image_keeper import ImageKeeper, ImageStore
from flux.contracts.apps.types import AppId
from flux.contracts.market.types import LeaseId
from flux.runtime.errors import InUse
from flux.runtime.memory import MemoryRuntime
from flux.runtime.types import ImageReference
from support.registry_gate import push_fresh_image
from support.runtime_lab import Lab


@pytest.fixture
def own_image(lab: Lab, request: pytest.FixtureRequest) -> ImageReference:
    """An image of which nobody else makes containers."""
    if isinstance(lab.runtime, MemoryRuntime):
        image = ImageReference(f"registry.test/flux/fresh@sha256:{'c' * 64}")
        lab.runtime.engine.add_image(image)
        return image
    registry: str = request.getfixturevalue("registry")
    return ImageReference(f"{registry}/flux/fresh@{push_fresh_image(registry, layer_bytes=1_000)}")


async def test_an_image_that_nothing_is_made_of_can_be_removed_and_fetched_again(
    lab: Lab, own_image: ImageReference
) -> None:
    container = await lab.create(lab.spec(image=own_image))
    with pytest.raises(InUse):
        await lab.runtime.remove_image(own_image)
    await lab.runtime.remove(container)
    for _ in range(2):
        await lab.runtime.remove_image(own_image)
        assert not await lab.runtime.has_image(own_image)
    await lab.runtime.pull(own_image)
    assert await lab.runtime.has_image(own_image)


async def test_the_disk_of_images_has_a_size(lab: Lab) -> None:
    disk = await lab.runtime.disk()
    assert disk is not None
    assert 0 < disk.free <= disk.total


class Node:
    """A node without leases, whose chain can be read."""

    def __init__(self) -> None:
        self.chain_read_at: float | None = time.monotonic()

    async def block_time(self) -> int:
        return int(time.time())

    async def standby(self) -> set[ImageReference]:
        return set()

    async def undecided(self, apps: Iterable[AppId]) -> set[ImageReference]:
        return set()

    def images(self) -> set[ImageReference]:
        return set()

    def desired(self) -> dict[LeaseId, DesiredInstance]:
        return {}

    def forget_image(self, image: ImageReference) -> None:
        return


async def test_an_agent_removes_the_images_that_it_fetched_once_no_container_is_made_of_them(
    lab: Lab, own_image: ImageReference, tmp_path: Path
) -> None:
    node, began = Node(), time.monotonic()
    passed = [0.0]
    keeper = ImageKeeper(node, lab.runtime, ImageStore(tmp_path), 100.0, monotonic=lambda: began + passed[0])

    async def look() -> None:
        passed[0] += 110.0
        node.chain_read_at = began + passed[0]
        await keeper.run_once(node)

    await lab.runtime.pull(lab.image)
    await keeper.pull(lab.image)
    await keeper.pull(own_image)
    container = await lab.create(lab.spec(image=own_image))
    for _ in range(3):
        await look()
    assert await lab.runtime.has_image(own_image)
    await lab.runtime.remove(container)
    for _ in range(3):
        await look()
    assert not await lab.runtime.has_image(own_image)
    assert await lab.runtime.has_image(lab.image)
