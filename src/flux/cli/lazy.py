"""Groups of commands whose modules are imported only when one is run, so that `flux --help` imports none of them.

A verb's module has one public function `run(context, …)`, plain or async, whose annotations are its options. The
options that every command has (`--json`, `--rpc`, …) are added here, and every error ends here as a sentence.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from flux.cli.commands import NOUNS, Entry, Noun
from flux.cli.context import CommandContext, Given
from flux.cli.errors import run_to_exit_code

_GLOBAL = "Options of every command"
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts; amounts are exact, in FLUX.")]
RpcOption = Annotated[
    str | None,
    typer.Option(
        "--rpc",
        metavar="URL",
        help="RPC of the chain, several with commas between; else FLUX_RPC, else the local cloud's.",
    ),
]
HomeOption = Annotated[str | None, typer.Option("--home", metavar="DIR", help="Keys and local clouds [FLUX_HOME].")]
AccountOption = Annotated[
    str | None,
    typer.Option("--account", metavar="NAME", help="Who signs: a key of the wallet, or dev0…dev9 [FLUX_ACCOUNT]."),
]
VerifyOption = Annotated[
    bool, typer.Option("--verify", help="Believe only what validators signed: check every answer by proofs.")
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
_OPTIONS: dict[str, tuple[object, object]] = {
    "json_output": (JsonOption, False),
    "rpc": (RpcOption, None),
    "home": (HomeOption, None),
    "account": (AccountOption, None),
    "debug": (DebugOption, False),
    "verify": (VerifyOption, False),
}


class LazyGroup(TyperGroup):
    """A group that knows its commands' names and short helps, and imports a command when it is asked for."""

    entries: Mapping[str, Entry] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name, entry in self.entries.items() if not entry.hidden]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        return _group(cmd_name, entry) if isinstance(entry, Noun) else _command(cmd_name, entry)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        names: Any = dict.fromkeys(self.list_commands(ctx))
        self.commands = names  # what suggestions for a mistyped command look at
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        self.commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        return super().shell_complete(ctx, incomplete)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            entry = self.entries[name]
            sections.setdefault(entry.section, []).append((name, entry.summary))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


class RootGroup(LazyGroup):
    """`flux`."""

    entries = NOUNS


def given_of(ctx: typer.Context, values: dict[str, Any]) -> Given:
    """Take the options of every command out of `values`; those given before the command count where it has none."""
    own = Given(
        json=values.pop("json_output"),
        rpc=values.pop("rpc"),
        home=values.pop("home"),
        account=values.pop("account"),
        debug=values.pop("debug"),
        verify=values.pop("verify"),
    )
    outer = ctx.meta.get("flux.given")
    merged = own if outer is None else own.over(outer)
    ctx.meta["flux.given"] = merged
    return merged


def with_options(function: Callable[..., Any], parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    """The function with a signature of the context, `parameters`, and the options of every command."""
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _OPTIONS.items()
    ]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    every = [context, *own, *common]
    function.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    return function


def _command(name: str, entry: Entry) -> Any:
    run = import_module(entry.module).run
    _, *parameters = inspect.signature(run, eval_str=True).parameters.values()

    def callback(**values: Any) -> None:
        ctx = values.pop("ctx")
        context = CommandContext(given_of(ctx, values), ctx.obj)
        code = run_to_exit_code(context, functools.partial(run, context, **values))
        if code:
            raise typer.Exit(code)

    callback.__doc__ = run.__doc__
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, short_help=entry.summary, hidden=entry.hidden)(with_options(callback, parameters))
    return get_command(app)


def _group(name: str, noun: Noun) -> Any:
    kind = type(f"{name.capitalize()}Group", (LazyGroup,), {"entries": noun.verbs})
    return kind(name=name, help=noun.summary, rich_markup_mode=None, no_args_is_help=True)
