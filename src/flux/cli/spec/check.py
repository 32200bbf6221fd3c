"""`flux spec check`."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.dollars import amount
from flux.cli.errors import FAILED
from flux.cli.output import Column, right
from flux.cli.spec_input import Changes, findings_document, read_spec
from flux.contracts.apps.types import AppSpec
from flux.specs.findings import Finding, Severity
from flux.specs.loaded import LoadedSpec, SpecRefused


def run(
    context: CommandContext,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Compose file, Flux spec, or a folder with a compose.yaml.")
    ] = Path(),
    profile: Annotated[list[str] | None, typer.Option("--profile", help="Compose profile to include.")] = None,
) -> int:
    """Read a Compose file or Flux spec with no network at all: what is honoured, warned about, refused.

    Exit code 1 when something is refused.
    """
    try:
        loaded = read_spec(context, file, Changes(), profile or ())
    except SpecRefused as refused:
        _show(context, refused.findings)
        refusals = sum(finding.severity is Severity.REFUSED for finding in refused.findings)
        context.output.line(f"\nRefused: {show.count(refusals, 'key')} cannot be honoured.")
        context.output.document({"accepted": False, "findings": findings_document(refused.findings)})
        return FAILED
    _show(context, loaded.findings)
    _summary(context, loaded)
    context.output.document(_document(loaded))
    return 0


def _show(context: CommandContext, findings: tuple[Finding, ...]) -> None:
    rows = [
        (
            finding.severity.value,
            f"{finding.file}:{finding.line}" if finding.line else finding.file,
            finding.key,
            finding.message,
        )
        for finding in findings
    ]
    context.output.table(["", "WHERE", "KEY", Column("WHAT", wrap=True)], rows, "Nothing to remark.")


def _summary(context: CommandContext, loaded: LoadedSpec) -> None:
    spec = loaded.app_spec
    rows = [
        (
            component.name,
            component.image,
            show.cores(component.cpu_milli),
            show.memory(component.memory_mib),
            ", ".join(f"{port.container}/{port.protocol}" for port in component.ports) or "–",
        )
        for component in spec.components
    ]
    context.output.line()
    context.output.table(["COMPONENT", Column("IMAGE", wrap=True), right("CPU"), right("MEMORY"), "PORTS"], rows)
    context.output.line()
    context.output.line(f"Accepted: {loaded.options.name or 'without a name'}, {_wishes(loaded, spec)}.")


def _wishes(loaded: LoadedSpec, spec: AppSpec) -> str:
    parts = [show.count(loaded.options.instances, "instance")]
    if spec.constraints.geo:
        parts.append(f"only where {' '.join(spec.constraints.geo)}")
    if spec.constraints.max_price_nanousd_hour:
        parts.append(f"at most {amount(spec.constraints.max_price_nanousd_hour * 10**9)}/h each, billed in dollars")
    if spec.constraints.max_price_gwei_hour:
        parts.append(f"at most {show.number(spec.constraints.max_price_gwei_hour * 10**9)} FLUX/h each")
    if spec.http is not None:
        parts.append(f"HTTP at {spec.http.component}:{spec.http.port}")
    if spec.private:
        parts.append("environment and arguments sealed")
    return ", ".join(parts)


def _document(loaded: LoadedSpec) -> dict[str, Any]:
    """The public half only: what is private is on no screen either."""
    deposit = loaded.options.deposit
    return {
        "accepted": True,
        "name": loaded.options.name,
        "instances": loaded.options.instances,
        "deposit": None if deposit is None else show.exact(deposit),
        "findings": findings_document(loaded.findings),
        "spec": msgspec.to_builtins(loaded.app_spec),
    }
