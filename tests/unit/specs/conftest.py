"""Shared by the tests of specs: reading a text, and what the chain itself says of the result."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from flux.contracts.apps.rules import check_spec
from flux.contracts.apps.types import AppSpec, encode_spec
from flux.protocol.params import DEFAULT
from flux.specs.findings import Finding, Severity
from flux.specs.load import load
from flux.specs.loaded import LoadedSpec, SpecRefused

DIGEST = "sha256:" + "ab" * 32

Read = Callable[..., LoadedSpec]
Refusals = Callable[..., list[Finding]]


@pytest.fixture
def read() -> Read:
    """Loads a text, and has the chain's own rules accept the result."""

    def read_text(
        text: str | bytes | Path, environment: Mapping[str, str] | None = None, **options: object
    ) -> LoadedSpec:
        loaded = load(text, environment, **options)  # type: ignore[arg-type]
        check_on_chain(loaded.app_spec)
        return loaded

    return read_text


@pytest.fixture
def refusals() -> Refusals:
    """The refusals of a text; the test fails when it is accepted."""

    def refuse(text: str | bytes | Path, environment: Mapping[str, str] | None = None) -> list[Finding]:
        with pytest.raises(SpecRefused) as caught:
            load(text, environment)
        return [finding for finding in caught.value.findings if finding.severity is Severity.REFUSED]

    return refuse


@pytest.fixture
def vectors() -> Path:
    """The Compose files written for these tests."""
    return Path(__file__).parents[2] / "vectors" / "compose"


@pytest.fixture(scope="session")
def accepted_on_chain() -> Callable[[AppSpec], None]:
    """Fails when the chain's own rules refuse what the reader accepted."""
    return check_on_chain


def check_on_chain(spec: AppSpec) -> None:
    """Raises when the apps contract would refuse the spec once its images are pinned."""
    pinned = tuple(
        msgspec.structs.replace(component, image=f"{component.image.split('@')[0].rsplit(':', 1)[0]}@{DIGEST}")
        for component in spec.components
    )
    check_spec(encode_spec(msgspec.structs.replace(spec, components=pinned)), DEFAULT.apps)
