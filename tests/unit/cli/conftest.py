"""The command line run as users run it, in this process, against a real chain in memory."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flux.cli.main import app
from support.local_chain import LocalChain, local_chain


@dataclass(slots=True)
class Flux:
    """Runs commands with a FLUX_HOME of their own."""

    home: Path
    chain: LocalChain | None = None

    def run(self, *arguments: str, input: str | None = None, **environment: str) -> Result:
        """One command; its output, errors and exit code."""
        known = {"FLUX_HOME": str(self.home), "FLUX_RPC": "http://127.0.0.1:1", "DOCKER_CONFIG": str(self.home)}
        if self.chain is not None:
            known |= {"FLUX_RPC": self.chain.rpc, "REGISTRY": self.chain.registry}
        return CliRunner().invoke(app, list(arguments), input=input, env={**known, **environment}, prog_name="flux")

    def json(self, *arguments: str, code: int = 0, **environment: str) -> Any:
        """The JSON document of a command, which must end with `code`."""
        result = self.run(*arguments, "--json", **environment)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def ok(self, *arguments: str, **environment: str) -> str:
        """What a person sees of a command that must succeed."""
        result = self.run(*arguments, **environment)
        assert result.exit_code == 0, result.output
        return result.output

    def compose(self, text: str, name: str = "compose.yaml") -> str:
        """The path of a file with this text."""
        self.home.mkdir(parents=True, exist_ok=True)
        path = self.home / name
        path.write_text(text)
        return str(path)


@pytest.fixture
def offline(tmp_path: Path) -> Flux:
    """Without any chain."""
    return Flux(tmp_path / "home")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalChain]:
    """One chain for the tests of a file."""
    with local_chain(tmp_path_factory.mktemp("chain")) as chain:
        yield chain


@pytest.fixture
def flux(tmp_path: Path, served: LocalChain) -> Flux:
    """With a chain."""
    return Flux(tmp_path / "home", served)
