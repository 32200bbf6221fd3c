"""Options and arguments that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class EngineName(StrEnum):
    """Who makes the blocks."""

    SOLO = "solo"
    COMETBFT = "cometbft"


AppArgument = Annotated[str, typer.Argument(metavar="APP", help="Name or number of the app.")]
SecretArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the secret.")]
FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Compose file, Flux spec, or a folder with a compose.yaml.")
]
ProfileOption = Annotated[list[str] | None, typer.Option("--profile", help="Compose profile to include.")]
InstancesOption = Annotated[int | None, typer.Option("--instances", "-n", min=1, help="How many instances should run.")]
GeoOption = Annotated[
    list[str] | None,
    typer.Option("--geo", metavar="RULE", help="Where it may run: acEU, acEU_FR, a!cUS; replaces the file's rules."),
]
MaxPriceOption = Annotated[
    str | None,
    typer.Option("--max-price", metavar="FLUX", help="The most one instance may cost an hour; $ for dollars."),
]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Return when every instance runs, or at once.")]
PatienceOption = Annotated[int, typer.Option("--timeout", min=1, metavar="SECONDS", help="How long to wait.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only print what would happen.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="Number of the node.")]
MetricsOption = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="HOST:PORT",
        help="Where /metrics, /healthz and /readyz are served; on loopback without it, nowhere with off.",
    ),
]
