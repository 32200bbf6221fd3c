"""What reading a spec gives: the public and the private half, the wishes for the deployment, and the findings."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import msgspec

from flux.contracts.apps.types import AppSpec, PrivateSpec
from flux.primitives.types import Wei
from flux.specs.findings import Finding, Severity

ReadFile = Callable[[PurePosixPath], bytes]
"""Reads a file named by a spec (env_file, .env), relative to the spec's folder. Raises OSError."""


class SpecError(Exception):
    """A spec can't be used; the message says what to do."""


class SpecUnreadable(SpecError):
    """The file can't be opened."""


class SpecRefused(SpecError):
    """The spec asks for something that can't be honoured; `findings` has all of them, warnings included."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        refused = [finding for finding in findings if finding.severity is Severity.REFUSED]
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        super().__init__(f"{refused[0]}{more}" if refused else "the spec is refused")


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """What the file says about its deployment; the command line may override it."""

    name: str | None
    """A valid app name, or None when neither the file nor its path suggests one."""
    instances: int = 1
    deposit: Wei | None = None
    """None: the smallest deposit that the chain accepts."""
    architectures: tuple[str, ...] = ()
    """Those that the file restricts itself to; empty: all that its images support."""


@dataclass(frozen=True, slots=True)
class LoadedSpec:
    app_spec: AppSpec
    """Images are full references; `images.resolve` turns tags into digests before anything is sent."""
    private: PrivateSpec
    findings: tuple[Finding, ...]
    options: DeployOptions


def with_private(loaded: LoadedSpec, private: PrivateSpec) -> LoadedSpec:
    """The same spec with another private half; the public half says whether there is one."""
    is_private = private != PrivateSpec()
    app_spec = msgspec.structs.replace(loaded.app_spec, private=is_private)
    return replace(loaded, app_spec=app_spec, private=private)
