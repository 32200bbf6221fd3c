"""A real Docker Engine and a real registry for tests: the ones that answer, or private ones for the session.

They never skip: a machine where no Engine can run fails the tests that need one.
"""

from collections.abc import Iterator

import pytest
from tools.engine import running_engine
from tools.images import push_images
from tools.recipes import find_recipe
from tools.registry import running_registry


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """DOCKER_HOST of an Engine that answers."""
    with running_engine() as host:
        yield host


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    """host:port of an empty registry on loopback."""
    with running_registry() as running:
        yield running.host


@pytest.fixture(scope="session")
def busybox(registry: str) -> str:
    """An image of busybox in the registry, by digest."""
    recipe = find_recipe("flux/busybox:1")
    assert recipe is not None
    digest = push_images(registry, [recipe])[recipe.name]
    return f"{registry}/{recipe.repository}@{digest}"
