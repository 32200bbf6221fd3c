"""Entry of the `flux` command."""

import sys
from typing import Any

import typer

from flux.cli.errors import INTERRUPTED, translate
from flux.cli.lazy import RootGroup, given_of, with_options

HELP = """Flux: a cloud that nobody owns.

Deploy a Compose file: the network finds the machines, starts the containers, keeps them alive, and streams the payment.

\b
  flux up                      a whole cloud on this machine
  flux deploy compose.yaml     a URL that answers, and a bill in plain numbers
  flux app why NAME            why it runs where it runs

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by the chain, 4 unreachable.
"""

app = typer.Typer(cls=RootGroup, rich_markup_mode=None, no_args_is_help=True, pretty_exceptions_enable=False)


def _root(**values: Any) -> None:
    given_of(values.pop("ctx"), values)
    if values.pop("version"):
        from flux import __version__

        sys.stdout.write(f"flux {__version__}\n")
        raise typer.Exit


def _register() -> None:
    import inspect
    from typing import Annotated

    version = inspect.Parameter(
        "version",
        inspect.Parameter.KEYWORD_ONLY,
        default=False,
        annotation=Annotated[bool, typer.Option("--version", help="Print the version.")],
    )
    app.callback(help=HELP, invoke_without_command=True)(with_options(_root, [version]))


_register()


def main() -> None:
    """Run the command of the command line and exit with its code."""
    try:
        app(prog_name="flux")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        # Commands end their own errors; this one comes from before a command could begin.
        if "--debug" in sys.argv:
            raise
        problem = translate(error)
        sys.stderr.write(f"error: {problem.sentence}\n  → {problem.hint}\n")
        sys.exit(problem.code)


if __name__ == "__main__":
    main()
