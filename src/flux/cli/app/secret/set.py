"""`flux app secret set`."""

import re
import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from flux.cli.app.update import UpdatePatienceOption, seconds_to_wait
from flux.cli.asking import hidden
from flux.cli.context import CommandContext
from flux.cli.errors import UsageError
from flux.cli.lookup import find_app
from flux.cli.named_files import named_file
from flux.cli.options import AppArgument, SecretArgument, WaitOption
from flux.cli.private import made_revision, read_private, replace_private, with_secrets
from flux.cli.rollout import roll_out
from flux.contracts.apps.types import AppSpec, Secret

MAX_BYTES = 32 * 1024
"""Of one value; the chain takes 64 KiB of everything private of an app."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


async def run(
    context: CommandContext,
    name: AppArgument,
    secret: SecretArgument,
    value: Annotated[
        str | None,
        typer.Argument(metavar="[VALUE]", help="Better left out: other users of this machine can see arguments."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A file that holds the value, byte for byte.")
    ] = None,
    env: Annotated[bool, typer.Option("--env", help="Give it as a variable instead of a file.")] = False,
    component: Annotated[
        list[str] | None, typer.Option("--component", metavar="NAME", help="Only to this component; may be repeated.")
    ] = None,
    path: Annotated[str | None, typer.Option("--path", help="Where the file is [/run/secrets/NAME].")] = None,
    mode: Annotated[str, typer.Option("--mode", metavar="OCTAL", help="Permissions of the file.")] = "0444",
    wait: WaitOption = True,
    patience: UpdatePatienceOption = None,
) -> None:
    """Give an app a secret, or replace one: a file in memory, /run/secrets/NAME, or with --env a variable.

    The value is asked for on the terminal, or read from standard input (a line end at its end is left out). It leaves
    this machine encrypted, and goes through the app's instances as a new revision.
    """
    begun = time.monotonic()
    made = Secret(secret, b"", tuple(sorted(component or ())), env, path or "", _mode(mode), int(time.time()))
    _check(made)
    made = msgspec.structs.replace(made, value=_value(secret, value, file))
    if env:
        _check_text(made)
    async with context.client() as client:
        app = await find_app(client, name)
        spec, private = await read_private(context, client, app)
        _check_components(made, spec)
        others = [other for other in private.secrets if other.name != secret]
        signer = await context.signer(client)
        receipt = await replace_private(context, client, signer, app, spec, with_secrets(private, [*others, made]))
        revision = made_revision(receipt)
        context.output.note(f"secret {secret} of {app.name} is set in revision {revision}")
        seconds = seconds_to_wait(spec, app.instances, patience, wait=wait)
        await roll_out(context, client, signer, app.id, receipt, begun, seconds, revision)


def _value(name: str, argument: str | None, file: Path | None) -> bytes:
    if argument is not None and file is not None:
        raise UsageError("a value and a file were given", "give one of them")
    if file is not None:
        with named_file(file):
            data = file.read_bytes()
    elif argument is not None:
        data = argument.encode()
    elif sys.stdin.isatty():
        data = hidden(f"Value of {name}", twice=True).encode()
    else:
        data = sys.stdin.buffer.read(MAX_BYTES + 2)
        data = data.removesuffix(b"\n").removesuffix(b"\r")
    if not data:
        raise UsageError(f"the value of {name} is empty", "pipe it in, or take it from a file with --file")
    if len(data) > MAX_BYTES:
        raise UsageError(f"the value of {name} has more than {MAX_BYTES // 1024} KiB", "put large files into the image")
    return data


def _mode(text: str) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise UsageError(f"{text} is not a mode", "write it as 0444 or 0400")
    return int(text, 8)


def _check(secret: Secret) -> None:
    if not _NAME.fullmatch(secret.name):
        raise UsageError("a secret's name is 1–64 letters, digits and inner _ . -")
    if secret.in_environment and not _VARIABLE.fullmatch(secret.name):
        raise UsageError(f"{secret.name} is not the name of a variable", "use letters, digits and _ with --env")
    if secret.path and (secret.in_environment or not re.fullmatch(r"(/[^/\0]+)+", secret.path)):
        raise UsageError("--path is an absolute path of a file, and goes without --env")


def _check_text(secret: Secret) -> None:
    try:
        text = secret.value.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UsageError(
            f"{secret.name} is not a text: a variable cannot hold it", "leave --env out: it is a file then"
        )


def _check_components(secret: Secret, spec: AppSpec) -> None:
    names = [component.name for component in spec.components]
    if unknown := [name for name in secret.components if name not in names]:
        raise UsageError(f"there is no component {unknown[0]}", f"the app has {', '.join(names)}")
