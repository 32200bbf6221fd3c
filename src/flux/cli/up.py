"""`flux up`."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.errors import CliError, UsageError
from flux.cli.options import EngineName
from flux.services.cloud_state import CloudState, find_state
from flux.services.errors import CloudRunning
from flux.services.home import CloudHome, FluxHome
from flux.services.local_cloud import CloudOptions, LocalCloud
from flux.services.processes import ChildProcess, start
from flux.services.signals import run_until_signal

_POLL = 0.1


async def run(
    context: CommandContext,
    nodes: Annotated[int, typer.Option("--nodes", min=1, max=50, help="How many nodes, in made-up places.")] = 5,
    rpc_port: Annotated[int, typer.Option("--rpc-port", min=1, max=65535, help="Port of the chain's JSON-RPC.")] = 8545,
    http_port: Annotated[int, typer.Option("--http-port", min=1, max=65535, help="Port that serves the apps.")] = 8080,
    agent_port: Annotated[
        int, typer.Option("--agent-port", min=1, max=65000, help="Port of the first agent; the others in steps of 10.")
    ] = 16127,
    container_port: Annotated[
        int, typer.Option("--container-port", min=1024, max=60000, help="First host port for containers, 500 a node.")
    ] = 20_000,
    engine: Annotated[
        EngineName | None,
        typer.Option("--engine", help="Who makes the blocks: one process, or validators that agree [as it was, solo]."),
    ] = None,
    validators: Annotated[
        int | None, typer.Option("--validators", min=1, max=20, help="How many, with --engine cometbft [4].")
    ] = None,
    p2p_port: Annotated[
        int,
        typer.Option("--p2p-port", min=1, max=65000, help="Port of the first validator; the others in steps of 10."),
    ] = 26656,
    no_ingress: Annotated[bool, typer.Option("--no-ingress", help="Without serving apps by name.")] = False,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once it is ready; stop it with `flux down`.")
    ] = False,
) -> None:
    """Start a whole cloud on this machine: a chain or its validators, nodes in made-up places, an ingress.

    Needs a Docker Engine (DOCKER_HOST is respected) and Caddy. Everything lies below FLUX_HOME/cloud; a cloud that was
    stopped goes on where it was. Ctrl-C stops it.
    """
    home = FluxHome(context.home).cloud
    chosen = _engine(home, engine)
    if chosen is EngineName.SOLO and validators is not None:
        raise UsageError("a solo chain has no validators", "add --engine cometbft, or leave --validators out")
    options = CloudOptions(
        home=home.path,
        nodes=nodes,
        rpc_port=rpc_port,
        http_port=http_port,
        agent_port=agent_port,
        container_port=container_port,
        ingress=not no_ingress,
        validators=0 if chosen is EngineName.SOLO else validators or _known_validators(home) or 4,
        p2p_port=p2p_port,
        docker=context.environment.get("DOCKER_HOST"),
    )
    if detach:
        await _detached(context, home, options)
    else:
        await run_until_signal(_foreground(context, options, welcome=not supervised))


async def _foreground(context: CommandContext, options: CloudOptions, *, welcome: bool) -> None:
    begun = time.monotonic()
    async with LocalCloud(options, context.output.note) as cloud:
        state = find_state(cloud.home)
        if state is not None and welcome:
            _welcome(context, state, time.monotonic() - begun, stop="Ctrl-C")
        await cloud.watch()
        raise CliError("the chain has ended", f"its log is {cloud.home.log('chain')}")


def _known_validators(home: CloudHome) -> int:
    """How many validators the cloud was made with."""
    return sum(1 for _ in home.validators.iterdir()) if home.validators.is_dir() else 0


def _engine(home: CloudHome, given: EngineName | None) -> EngineName:
    """The engine of this cloud. Raises CliError when it was made with the other one."""
    made = EngineName.COMETBFT if home.validators.exists() else EngineName.SOLO if home.chain.exists() else None
    if None not in (given, made) and given is not made:
        raise CliError(
            f"the cloud in {home.path} was made with another engine than {given}",
            "leave --engine out to go on with it, or remove it first: flux down --purge",
        )
    return given or made or EngineName.SOLO


async def _detached(context: CommandContext, home: CloudHome, options: CloudOptions) -> None:
    known = find_state(home)
    if known is not None and known.is_supervised:
        raise CloudRunning(
            f"the local cloud in {home.path} runs already", "see `flux status`, stop it with `flux down`"
        )
    begun = time.monotonic()
    log = home.log("supervisor")
    log.unlink(missing_ok=True)
    supervisor = start("supervisor", _arguments(context.home, options), {}, log)
    shown = 0
    while (state := find_state(home)) is None or not state.ready or state.supervisor.pid != supervisor.pid:
        shown = _echo(context, log, shown)
        _check(supervisor)
        await asyncio.sleep(_POLL)
    _echo(context, log, shown)
    _welcome(context, state, time.monotonic() - begun, stop="flux down")


def _arguments(home: Path, options: CloudOptions) -> list[str]:
    arguments = [
        "--home",
        str(home),
        "up",
        "--supervised",
        "--nodes",
        str(options.nodes),
        "--rpc-port",
        str(options.rpc_port),
    ]
    arguments += ["--http-port", str(options.http_port), "--agent-port", str(options.agent_port)]
    arguments += ["--container-port", str(options.container_port)]
    if options.validators:
        arguments += ["--engine", "cometbft", "--validators", str(options.validators)]
        arguments += ["--p2p-port", str(options.p2p_port)]
    return arguments + (["--no-ingress"] if not options.ingress else [])


def _echo(context: CommandContext, log: Path, shown: int) -> int:
    """Show the lines that the supervisor wrote since; how many were shown in all."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines[shown:]:
        if line and not line.startswith(("error: ", "  → ")):
            context.output.note(line)
    return len(lines)


def _check(supervisor: ChildProcess) -> None:
    """Raise the supervisor's own error when it gave up."""
    if supervisor.exit_code is None:
        return
    lines = supervisor.log.read_text(encoding="utf-8", errors="replace").splitlines()
    sentences = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    hints = [line.removeprefix("  → ") for line in lines if line.startswith("  → ")]
    raise CliError(
        sentences[-1] if sentences else "the local cloud did not start",
        hints[-1] if hints else f"its log is {supervisor.log}",
        supervisor.exit_code if 0 < supervisor.exit_code < 5 else 1,
    )


def _welcome(context: CommandContext, state: CloudState, seconds: float, *, stop: str) -> None:
    output = context.output
    apps = f"http://<app>.flux.localhost:{state.http_port}" if state.http_port else ""
    output.document(
        {
            "rpc": state.rpc,
            "http_port": state.http_port or None,
            "nodes": list(state.nodes),
            "supervisor": state.supervisor.pid,
            "seconds": round(seconds, 2),
        }
    )
    output.line()
    output.line(f"A cloud of {len(state.nodes)} nodes is up after {seconds:.1f} s.")
    facts = [("chain", f"{state.rpc}  (chain id 19169)")]
    facts += [("apps", apps)] if apps else []
    facts += [("account", "dev0: 1,000,000 FLUX; dev1…dev9 with --account")]
    output.facts(facts)
    output.line()
    output.line("Next:  flux deploy compose.yaml")
    output.line("       flux node ls")
    output.line(f"Stop:  {stop}")
