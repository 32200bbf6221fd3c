"""The examples are Compose files that can be read, and their images are images that the tools build."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tools.paths import ROOT
from tools.recipes import RECIPES, USERS, find_recipe

EXAMPLES = sorted((ROOT / "examples").glob("*/compose.yaml"))
X_FLUX_KEYS = {"instances", "geo", "max_price", "deposit", "tier", "spread", "http_port", "volumes"}


def read(example: Path) -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe").load(example)
    return content


def test_there_are_the_two_examples_of_the_demo() -> None:
    assert {"hello", "guestbook"} <= {example.parent.name for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_image_of_an_example_has_a_recipe(example: Path) -> None:
    for service in read(example)["services"].values():
        match = re.fullmatch(r"\$\{REGISTRY:-127\.0\.0\.1:5000\}/(.+)", service["image"])
        assert match is not None
        assert find_recipe(match[1]) is not None


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_serves_the_port_that_it_publishes(example: Path) -> None:
    content = read(example)
    published = {
        port.rpartition(":")[2] for service in content["services"].values() for port in service.get("ports", ())
    }
    assert str(content["x-flux"]["http_port"]) in published


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_uses_only_known_extension_keys(example: Path) -> None:
    assert set(read(example)["x-flux"]) - X_FLUX_KEYS == set()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_component_of_an_example_has_limits_and_a_health_check(example: Path) -> None:
    for service in read(example)["services"].values():
        assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])
        assert service["healthcheck"]["test"]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_names_files_that_exist_and_a_user_of_the_image(recipe: Any) -> None:
    assert [source for source in recipe.files.values() if not (ROOT / source).is_file()] == []
    assert recipe.user in USERS
