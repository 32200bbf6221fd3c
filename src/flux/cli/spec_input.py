"""A tenant's file as the commands use it: read, changed by options, its findings shown. No network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from flux.cli.context import CommandContext
from flux.cli.errors import UsageError
from flux.specs.findings import Finding, Severity
from flux.specs.load import load
from flux.specs.loaded import LoadedSpec
from flux.specs.placement import MaxPrice, check_geo_rules, parse_max_price, with_max_price


@dataclass(frozen=True, slots=True)
class Changes:
    """What the command line changes of a file."""

    name: str | None = None
    instances: int | None = None
    geo: Sequence[str] = ()
    """Replaces the file's rules."""
    max_price: str | None = None
    """FLUX, or with $ dollars, per hour of one instance."""


def read_spec(context: CommandContext, file: Path, changes: Changes, profiles: Sequence[str] = ()) -> LoadedSpec:
    """The file with the changes of the command line. Raises SpecUnreadable, SpecRefused, UsageError."""
    loaded = load(file, context.environment, profiles=profiles)
    constraints = loaded.app_spec.constraints
    if changes.geo:
        constraints = msgspec.structs.replace(constraints, geo=check_geo_rules(changes.geo))
    if changes.max_price is not None:
        constraints = with_max_price(constraints, _max_price(changes.max_price))
    options = replace(
        loaded.options,
        name=changes.name or loaded.options.name,
        instances=changes.instances or loaded.options.instances,
    )
    app_spec = msgspec.structs.replace(loaded.app_spec, constraints=constraints)
    return replace(loaded, app_spec=app_spec, options=options)


def show_findings(context: CommandContext, findings: Sequence[Finding], *, honoured: bool = False) -> None:
    """Warnings, and on request what is honoured, each with its place."""
    for finding in findings:
        if finding.severity is Severity.HONOURED and not honoured:
            continue
        context.output.note(f"{finding.severity.value}: {finding}")


def findings_document(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings for scripts."""
    return [
        {
            "severity": finding.severity.value,
            "file": finding.file,
            "line": finding.line,
            "column": finding.column,
            "key": finding.key,
            "message": finding.message,
        }
        for finding in findings
    ]


def app_name(loaded: LoadedSpec) -> str:
    """The app's name. Raises UsageError when nothing suggests one."""
    if loaded.options.name is None:
        raise UsageError("the app needs a name", "give one with --name, or as name: in x-flux:")
    return loaded.options.name


def _max_price(text: str) -> MaxPrice:
    try:
        return parse_max_price(text)
    except ValueError as error:
        raise UsageError(f"--max-price: {error}") from error
