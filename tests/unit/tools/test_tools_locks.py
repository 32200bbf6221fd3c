"""The lock files can be published, and cover what the project asks for."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from tools.paths import DEVELOPMENT_LOCK, ROOT, RUNTIME_LOCK

LOCKS = (RUNTIME_LOCK, DEVELOPMENT_LOCK)


def locked_names(lock: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE))


def required_names(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-") for requirement in requirements}


def project() -> dict[str, dict[str, list[str]]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_host_and_no_path_of_a_machine(lock: Path) -> None:
    lines = lock.read_text(encoding="utf-8").splitlines()
    suspicious = [
        line for line in lines if "://" in line or line.strip(" #").startswith(("/", "file:", "--index", "--find"))
    ]
    assert suspicious == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_has_a_hash(lock: Path) -> None:
    entries = re.split(r"^(?=[a-z0-9-]+==)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_runtime_lock_has_every_dependency_of_the_project() -> None:
    assert required_names(project()["project"]["dependencies"]) - locked_names(RUNTIME_LOCK) == set()


def test_the_development_lock_has_the_runtime_the_tools_and_the_build_backend() -> None:
    tools = required_names(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["dev"]
    )
    backend = required_names(project()["build-system"]["requires"])
    assert (locked_names(RUNTIME_LOCK) | tools | backend) - locked_names(DEVELOPMENT_LOCK) == set()
