"""The cloud that the end-to-end tests share, with an engine and a registry for all of them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tools.images import push_images
from tools.recipes import find_recipe

from support.cloud_lab import CloudLab, running_cloud
from support.engine_fixture import busybox, engine, registry

__all__ = ["busybox", "engine", "registry"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab(engine: str, registry: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CloudLab]:
    """A chain, five nodes and an ingress. Tests that use it run in the session's event loop."""
    recipe = find_recipe("flux/busybox:1")
    assert recipe is not None
    push_images(registry, [recipe])
    async with running_cloud(tmp_path_factory.mktemp("lab"), engine, registry) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that share the cloud come last, so that it does not idle beside tests that measure time."""
    items.sort(key=lambda item: "lab" in getattr(item, "fixturenames", ()))
