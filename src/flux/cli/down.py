"""`flux down`."""

import asyncio
import shutil
import signal
from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.runtime.docker.engine import DockerRuntime
from flux.runtime.errors import RuntimeUnavailable
from flux.runtime.labels import ChainName
from flux.services.cloud_state import CloudState, find_state, supervision
from flux.services.home import FluxHome
from flux.services.local_cloud import end_processes, find_chain_name, remove_from_engine

_PATIENCE = 60.0
_POLL = 0.05


async def run(
    context: CommandContext,
    purge: Annotated[
        bool, typer.Option("--purge", help="Also remove the chain, all keys of its nodes, and volumes.")
    ] = False,
) -> None:
    """Stop the local cloud and remove its containers. Its chain and volumes stay for the next `flux up`."""
    home = FluxHome(context.home).cloud
    state = find_state(home)
    if state is None and not home.path.exists() and not purge:
        context.output.line(f"No local cloud runs in {home.path}.")
        context.output.document({"stopped": False, "purged": False})
        return
    if state is not None and state.is_supervised:
        await _stop_supervisor(state)
    elif state is not None:
        await end_processes(state)
    with supervision(home):
        was_left = find_state(home) is not None
        docker = context.environment.get("DOCKER_HOST") if state is None else state.docker
        name = find_chain_name(home)
        if name is not None and (was_left or purge):
            await _clean_engine(context, docker, name, volumes=purge)
        home.state.unlink(missing_ok=True)
        if purge:
            shutil.rmtree(home.path)
    context.output.line("Stopped." if not purge else "Stopped; its chain, keys and volumes are removed.")
    context.output.document({"stopped": state is not None, "purged": purge})


async def _stop_supervisor(state: CloudState) -> None:
    process = state.supervisor.find()
    if process is not None:
        process.send_signal(signal.SIGTERM)
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    while state.is_supervised:
        if asyncio.get_running_loop().time() > deadline:
            raise CliError(
                f"the local cloud's supervisor (process {state.supervisor.pid}) does not stop",
                f"its log is {state.supervisor.log}",
            )
        await asyncio.sleep(_POLL)


async def _clean_engine(context: CommandContext, docker: str | None, name: ChainName, *, volumes: bool) -> None:
    runtime = DockerRuntime(docker)
    try:
        await remove_from_engine(runtime, name, volumes=volumes)
    except RuntimeUnavailable:
        context.output.note("The container engine does not answer: containers of the cloud may be left on it.")
    finally:
        await runtime.close()
