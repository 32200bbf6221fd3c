"""Flux on hosts that are network namespaces: deploys, deaths of hosts, updates."""

import asyncio
import time

from tools.hosts.lab import REGISTRY, Lab
from tools.images import push_images

from bench.hosts_load import INSTANCES, Counts, Figures, Load, failed_percent, load
from bench.measurement import Report
from flux.contracts.apps.types import AppId, Revision
from flux.primitives.types import U32, U64
from flux.sdk.deployment import progress, runs

SERVICE = "bench/web.compose.yaml"
UPDATED = "bench/web-updated.compose.yaml"
IMAGE = "flux/hello-web"
WAIT = 120.0


async def measure_flux(lab: Lab, counts: Counts, report: Report) -> Figures:
    """In a running lab whose hosts have the image or not."""
    figures = Figures()
    digest = (await asyncio.to_thread(push_images, REGISTRY))[f"{IMAGE}:1"]
    await lab.pull(f"{IMAGE}@{digest}")
    for number in range(counts.deploys + 1):
        report(f"flux: deploy {number + 1} of {counts.deploys + 1}")
        took = await _deploy(lab, f"deployed-{number}")
        if number:
            figures.deploys.append(took)
    app = AppId(U64((await lab.flux("deploy", SERVICE, "--name", "kept"))["app"]))
    async with load([f"{lab.url}/whoami"], lab.host_header("kept")) as made:
        for number in range(counts.kills):
            report(f"flux: host {number + 1} of {counts.kills} dies")
            await _kill(lab, app, number, made, figures)
        for number in range(counts.updates):
            report(f"flux: update {number + 1} of {counts.updates}")
            started = time.monotonic()
            await lab.flux("app", "update", "kept", UPDATED if number % 2 == 0 else SERVICE)
            ended = time.monotonic()
            await made.settled_since(started)
            figures.updates.append(ended - started)
            figures.update_failed.append(failed_percent(made.between(started, ended)))
    return figures


async def _deploy(lab: Lab, name: str) -> float:
    async with load([f"{lab.url}/whoami"], lab.host_header(name)) as made:
        started = time.monotonic()
        deploying = asyncio.create_task(lab.flux("deploy", SERVICE, "--name", name))
        await made.until(lambda: len(made.first_at) == INSTANCES, f"{INSTANCES} instances answer", WAIT)
        took = max(made.first_at.values()) - started
        await deploying
    await lab.flux("app", "rm", name, "--yes")
    return took


async def _kill(lab: Lab, app: AppId, number: int, made: Load, figures: Figures) -> None:
    """One host of the app dies; it comes back once another has taken over."""
    before = {lease.node for lease in (await progress(lab.client, app)).running}
    victim = lab.host(sorted(before)[number % INSTANCES])
    names = {str(node) for node in before}
    made.forget()
    started = time.monotonic()
    await victim.kill()
    await made.until(lambda: not made.first_at.keys() <= names, "a replacement answers", WAIT)
    ended = min(moment for node, moment in made.first_at.items() if node not in names)
    await made.settled_since(started)
    figures.failovers.append(ended - started)
    figures.failed.append(failed_percent(made.between(started, ended)))
    await victim.restore()
    await lab.until(lambda: lab.is_active(victim), f"{victim.name} is active again")
    await lab.until(lambda: _is_complete(lab, app), "all instances run")


async def _is_complete(lab: Lab, app: AppId) -> bool:
    """Whether all instances of the first revision run."""
    return runs(await progress(lab.client, app), Revision(U32(1)), INSTANCES)
