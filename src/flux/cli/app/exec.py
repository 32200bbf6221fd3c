"""`flux app exec`."""

import asyncio
import base64
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Annotated

import typer

from flux.cli import terminal
from flux.cli.context import CommandContext
from flux.cli.errors import UsageError
from flux.cli.lookup import find_app, running_instance
from flux.cli.options import AppArgument
from flux.sdk.agent_api import AgentClient
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.exec_session import ExecClient, Output, Start

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


async def run(
    context: CommandContext,
    name: AppArgument,
    command: Annotated[list[str], typer.Argument(metavar="-- CMD…", help="What to run, after two dashes.")],
    instance: Annotated[
        int | None, typer.Option("--instance", min=0, help="In this instance; else in the first that runs.")
    ] = None,
    component: Annotated[
        str, typer.Option("--component", "-c", help="In this component; else in the one that serves HTTP.")
    ] = "",
    interactive: Annotated[bool, typer.Option("--interactive", "-i", help="Pass standard input on.")] = False,
    tty: Annotated[bool, typer.Option("--tty", "-t", help="With a terminal.")] = False,
) -> int:
    """Run a command inside an app's container, over the node's own connection. Only the owner may.

    Its exit code becomes this one's. Without a terminal, signals are passed on and both outputs stay apart.
    """
    if tty and not (interactive and terminal.are_terminals()):
        raise UsageError(
            "-t needs -i and a terminal at both ends", "leave out -t where input or output is a file or pipe"
        )
    wish = _Wish(tuple(command), component, interactive, tty)
    async with context.client() as client, AgentClient() as agents:
        app = await find_app(client, name)
        lease = await running_instance(client, app, instance, any_will_do=True)
        node = await Nodes(client).node(lease.node)
        signer = await context.signer(client)
        async with agents.exec(node, signer, lease.id, wish.start(), component) as session:
            return await _talk(context, session, wish)


@dataclass(frozen=True, slots=True)
class _Wish:
    argv: tuple[str, ...]
    component: str
    interactive: bool
    tty: bool

    def start(self) -> Start:
        if not self.tty:
            return Start(self.argv)
        columns, rows = terminal.window()
        return Start(self.argv, True, columns, rows)


async def _talk(context: CommandContext, session: ExecClient, wish: _Wish) -> int:
    async with AsyncExitStack() as stack:
        if wish.tty:
            stack.enter_context(terminal.raw_mode())
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()

        def begin(work: Callable[[], Awaitable[None]]) -> None:
            task = asyncio.ensure_future(work())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        if wish.tty:
            loop.add_signal_handler(signal.SIGWINCH, begin, lambda: session.resize(*terminal.window()))
            stack.callback(loop.remove_signal_handler, signal.SIGWINCH)
        else:
            for number in _PASSED_ON:
                loop.add_signal_handler(number, begin, lambda number=number: session.signal(number))
                stack.callback(loop.remove_signal_handler, number)
        if wish.interactive:
            begin(lambda: _pass_input(session))
        try:
            async for piece in session.output():
                _show(context, piece)
        finally:
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    code = session.exit_code or 0
    if context.output.json:
        context.output.item({"exit_code": code}, "")
    return code


async def _pass_input(session: ExecClient) -> None:
    async for data in terminal.read_input():
        await session.write(data)
    await session.close_input()


def _show(context: CommandContext, piece: Output) -> None:
    if context.output.json:
        stream = "stderr" if piece.is_error else "stdout"
        context.output.item({"stream": stream, "base64": base64.b64encode(piece.data).decode()}, "")
    else:
        terminal.write_output(piece.data, is_error=piece.is_error)
