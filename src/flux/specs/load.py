"""Reads what a tenant wrote, whichever of the known formats it is in, without any network.

`load` is the entry: it returns the spec or raises `SpecRefused` with every finding. Nothing here reads the process
environment: the caller passes the variables that the file may see.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from flux.contracts.apps.types import encode_spec
from flux.specs import source
from flux.specs.compose.dotenv import parse_dotenv
from flux.specs.compose.process import Sources
from flux.specs.compose.project import read_compose
from flux.specs.findings import Findings, Mark
from flux.specs.flux_spec import is_flux_spec, read_flux_spec
from flux.specs.loaded import LoadedSpec, ReadFile, SpecRefused, SpecUnreadable
from flux.specs.source import Node

MAX_SPEC_BYTES = 64 * 1024
"""Of the public half; the chain's own limit may be lower and is checked there."""
COMPOSE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


def load(
    spec: Path | str | bytes,
    environment: Mapping[str, str] | None = None,
    *,
    file_name: str = "compose.yaml",
    read_file: ReadFile | None = None,
    profiles: Sequence[str] = (),
) -> LoadedSpec:
    """The spec of a file, of a folder with a Compose file in it, or (str, bytes) of the text itself.

    A file may read others beside it (`.env`, env_file); a text only through `read_file`. Raises SpecUnreadable when the
    file can't be opened, SpecRefused with all findings when something in it can't be honoured.
    """
    folder = ""
    if isinstance(spec, Path):
        path = _find_file(spec)
        data: str | bytes = _read_bytes(path)
        file_name = str(path)
        read_file = read_file or reader_of(path.parent)
        folder = path.resolve().parent.name if path.name in COMPOSE_NAMES else path.name.split(".")[0]
    else:
        data = spec
    findings = Findings()
    node = source.read(data, file_name, findings)
    loaded = None
    if node is not None:
        loaded = _read_any(node, file_name, environment or {}, read_file, profiles, folder, findings)
    elif not findings.has_refusal:
        findings.refuse(Mark(file_name, 1, 1), "", "the file is empty: add services: with at least one image")
    if loaded is None or findings.has_refusal:
        raise SpecRefused(findings.sorted())
    if len(encode_spec(loaded.app_spec)) > MAX_SPEC_BYTES:
        findings.refuse(Mark(file_name, 1, 1), "", f"the spec has more than {MAX_SPEC_BYTES} bytes: shorten its labels")
        raise SpecRefused(findings.sorted())
    return loaded


def reader_of(folder: Path) -> ReadFile:
    """Reads files relative to a folder, as Compose does; absolute paths are taken as they are."""

    def read_file(path: PurePosixPath) -> bytes:
        with (folder / path).open("rb") as file:
            return file.read(source.MAX_BYTES + 1)

    return read_file


def _read_any(
    node: Node,
    file_name: str,
    environment: Mapping[str, str],
    read_file: ReadFile | None,
    profiles: Sequence[str],
    folder: str,
    findings: Findings,
) -> LoadedSpec:
    if is_flux_spec(node):
        return read_flux_spec(node, file_name, findings)
    variables = _variables(environment, read_file, findings)
    return read_compose(node, file_name, Sources(variables, read_file), profiles, folder, findings)


def _variables(environment: Mapping[str, str], read_file: ReadFile | None, findings: Findings) -> dict[str, str]:
    """The environment over `.env`, which need not exist."""
    if read_file is None:
        return dict(environment)
    try:
        data = read_file(PurePosixPath(".env"))
    except FileNotFoundError:
        return dict(environment)
    except OSError as error:
        findings.refuse(Mark(".env", 1, 1), "", f"the file can't be read: {error.strerror or error}")
        return dict(environment)
    return parse_dotenv(data, ".env", environment, findings) | dict(environment)


def _find_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for name in COMPOSE_NAMES:
        if (path / name).is_file():
            return path / name
    raise SpecUnreadable(f"there is no {COMPOSE_NAMES[0]} in {path}: name the file")


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(source.MAX_BYTES + 1)
    except OSError as error:
        raise SpecUnreadable(f"{path} can't be read: {error.strerror or error}; check the path") from error
