"""One soak: a lab, visitors, faults from a seed, an onlooker, and the model's verdict."""

import asyncio
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.hosts.host import Host
from tools.hosts.lab import REGISTRY, Lab, running_lab
from tools.programs import docker

from flux.contracts.apps.types import AppId
from flux.contracts.market.types import LeaseState
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32, U64
from flux.sdk.bindings.market import Market
from support.beside import beside
from support.soak import model
from support.soak.clients import Visits, visitors
from support.soak.eyes import Sight, Weight, look, weigh
from support.soak.faults import Round, rounds
from support.soak.inject import Injector
from support.soak.processes import Spot

HOSTS = 5
STORE, WEB = "store", "web"
WANTED = {STORE: 1, WEB: 3}
SETTLE_BOUND = 240.0
"""Seconds from the end of the faults until everything is as it should be: a lease that never started is given up after
60 s, its successor may wait for a fence, and a machine with nothing to spare is several times slower."""
LOOK_EVERY = 1.0
WORK_EVERY = 15.0
WEIGH_EVERY = 10.0
COMPOSE = """\
services:
  web:
    image: {registry}/flux/{image}:1
    ports: ["8000:8000"]
    {volumes}
    stop_grace_period: 1s
    deploy: {{resources: {{limits: {{cpus: "0.25", memory: 48M}}}}}}
{declared}
x-flux: {{http_port: 8000, instances: {instances}, deposit: "100"{more}}}
"""
DRAIN_EVERY = 25
"""Rounds between two drains of the host that runs the store; the first is before all."""

Deeds = Callable[[Lab, dict[str, AppId], "Story", float], Awaitable[None]]


@dataclass(slots=True)
class Story:
    """Everything that was seen."""

    seed: int
    played: list[tuple[Round, float]] = field(default_factory=list)
    """With the seconds until all was well again."""
    sights: list[Sight] = field(default_factory=list)
    weights: dict[tuple[str, int], list[Weight]] = field(default_factory=lambda: defaultdict(list))
    broken: list[str] = field(default_factory=list)
    visits: Visits = field(default_factory=Visits)
    hits: Counter[Spot] = field(default_factory=Counter)
    drains: int = 0
    turns: int = 0
    """How often instances came and went."""
    logs: Path | None = None
    """Where the logs of a run that broke something are kept."""

    def summary(self) -> str:
        """For whoever runs it."""
        slowest = sorted(self.played, key=lambda played: -played[1])[:5]
        lines = [
            f"seed {self.seed}: {len(self.played)} rounds, {self.drains} drains,"
            f" {len(self.visits.acks)} of {self.visits.writes} writes acknowledged,"
            f" {self.visits.failed_reads} of {self.visits.reads} reads failed",
            *(f"  well again after {seconds:.0f} s: {round_}" for round_, seconds in slowest),
            *(f"BROKEN: {sentence}" for sentence in self.broken),
            *([] if self.logs is None else [f"logs: {self.logs}"]),
        ]
        return "\n".join(lines)


async def play(directory: Path, seed: int, seconds: float) -> Story:
    """Faults for so many seconds; the story tells whether the model held."""
    print(f"soak with seed {seed} (FLUX_SOAK_SEED), {seconds:g} s", flush=True)
    return await _play(directory, Story(seed), seconds, _rounds, model.AMONG_FAULTS)


async def work(directory: Path, seconds: float) -> Story:
    """Instances that come and go for so many seconds, and no faults: nothing that runs may hold more and more."""
    return await _play(directory, Story(0), seconds, _come_and_go, model.AT_WORK)


async def _play(directory: Path, story: Story, seconds: float, deeds: Deeds, patience: model.Patience) -> Story:
    async with running_lab(directory, HOSTS, is_chain_skewed=True) as lab:
        await lab.pull("flux/store:1")
        await lab.pull("flux/hello-web:1")
        await lab.pull("flux/busybox:1")
        apps = {name: await _deploy(lab, name) for name in WANTED}
        async with _watched(lab, apps, story), visitors(lab, STORE, WEB) as story.visits:
            await _settle(lab, apps, story, "the start")
            await deeds(lab, apps, story, time.monotonic() + seconds)
        story.broken += model.unserved(story.sights)
        story.broken += model.idle(story.sights, story.hits)
        story.broken += model.on_two_nodes(story.sights, [STORE])
        interruptions = sum(len(round_.faults) for round_, _ in story.played)
        story.broken += model.overcharged(story.sights, WANTED, interruptions)
        story.broken += model.two_writers(story.visits.acks)
        story.broken += model.lost_writes(story.visits.acks, await asyncio.to_thread(_lines, lab))
        story.broken += model.growing(story.weights, patience)
        if story.broken:
            story.logs = shutil.copytree(lab.directory / "logs", directory.parent / "soak-logs", dirs_exist_ok=True)
    print(story.summary(), flush=True)
    return story


async def _deploy(lab: Lab, name: str) -> AppId:
    is_store = name == STORE
    text = COMPOSE.format(
        registry=REGISTRY, image="store" if is_store else "hello-web", instances=WANTED[name],
        volumes='volumes: ["data:/data"]' if is_store else "", declared="volumes: {data: }" if is_store else "",
        more=", at_most_one: true, volumes: {data: 64M}" if is_store else "",
    )  # fmt: skip
    path = lab.directory / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return AppId(U64((await lab.flux("deploy", str(path), "--name", name))["app"]))


async def _come_and_go(lab: Lab, apps: dict[str, AppId], story: Story, until: float) -> None:
    """Instances are removed and added."""
    while time.monotonic() < until:
        for count in (WANTED[WEB] - 1, WANTED[WEB] + 1, WANTED[WEB]):
            await lab.flux("app", "scale", WEB, str(count))
        if not await _settle(lab, apps, story, "coming and going"):
            return
        story.turns += 1
        await asyncio.sleep(WORK_EVERY)  # so that most of the time is the agents' own


async def _rounds(lab: Lab, apps: dict[str, AppId], story: Story, until: float) -> None:
    injector = Injector(lab)
    story.hits = injector.hits
    volumes = await asyncio.to_thread(_volumes, lab)
    for round_ in rounds(story.seed, [host.name for host in lab.hosts]):
        if time.monotonic() > until:
            return
        if len(story.played) % DRAIN_EVERY == 0 and not await _drain(lab, apps, story):
            return
        print(f"{len(story.played) + 1}: {round_}", flush=True)
        try:
            for fault in round_.faults:
                await injector.inject(fault)
            await asyncio.sleep(round_.seconds)  # the faults last
        finally:
            await injector.mend()
        begun = time.monotonic()
        if not await _settle(lab, apps, story, str(round_)):
            return
        story.played.append((round_, time.monotonic() - begun))
        now = await asyncio.to_thread(_volumes, lab)
        story.broken += model.lost_volumes(volumes, now)
        volumes = now


async def _drain(lab: Lab, apps: dict[str, AppId], story: Story) -> bool:
    """Empty the host of the store, as an operator does before a repair: no visitor of the other app notices."""
    sight = await _settle(lab, apps, story, "the last faults")
    if sight is None:
        return False
    running = sight.spots(LeaseState.RUNNING)
    host = next((lab.host(NodeId(U32(node))) for name, node, _ in running if name == STORE), None)
    if host is None:  # it waits out a back-off
        return True
    print(f"   drain of {host.name}", flush=True)
    begun, refused = len(story.sights), story.visits.refused_reads
    await _operate(lab, host)
    settled = await _settle(lab, apps, story, f"the drain of {host.name}")
    story.drains += 1
    interrupted = model.interrupted(story.sights[begun:], WEB)
    story.broken += [f"{sentence} by the drain of {host.name}" for sentence in interrupted]
    if story.visits.refused_reads > refused:
        story.broken.append(
            f"{story.visits.refused_reads - refused} reads were refused during the drain of {host.name}"
        )
    if await Market(lab.client).leases_of_node(host.id):
        story.broken.append(f"{host.name} is drained and not empty")
    await _operate(lab, host, "--undo")
    return settled is not None


async def _operate(lab: Lab, host: Host, *options: str) -> None:
    await lab.flux("node", "drain", str(int(host.id)), *options, "--account", f"dev{1 + host.index}")


async def _settle(lab: Lab, apps: dict[str, AppId], story: Story, after: str) -> Sight | None:
    """The moment in which all is well; None, and a broken promise, when it does not come."""
    deadline = time.monotonic() + SETTLE_BOUND
    while not model.is_settled(sight := await look(lab, apps), WANTED):
        if time.monotonic() > deadline:
            story.broken.append(f"not well within {SETTLE_BOUND:g} s of {after}: {model.unsettled(sight, WANTED)}")
            return None
        await asyncio.sleep(0.2)
    return sight


@asynccontextmanager
async def _watched(lab: Lab, apps: dict[str, AppId], story: Story) -> AsyncIterator[None]:
    async def watch() -> None:
        weighed = 0.0
        while True:
            story.sights.append(await look(lab, apps))
            if time.monotonic() - weighed > WEIGH_EVERY:
                weighed = time.monotonic()
                for process, weight in (await asyncio.to_thread(weigh, lab)).items():
                    story.weights[process].append(weight)
            await asyncio.sleep(LOOK_EVERY)

    async with beside(watch()):
        yield


def _volumes(lab: Lab) -> set[tuple[int, str]]:
    return {
        (int(host.id), name)
        for host in lab.hosts
        for name in docker(host.daemon.host, "volume", "ls", "--quiet", "--filter", "label=flux.app").split()
    }


def _lines(lab: Lab) -> dict[int, set[str]]:
    """What the volumes hold at last, by node, whether an instance uses them or not."""
    found: dict[int, set[str]] = defaultdict(set)
    engines = {int(host.id): host.daemon.host for host in lab.hosts}
    for node, volume in _volumes(lab):
        command = ("run", "--rm", "--network", "none", "--volume", f"{volume}:/data:ro", f"{REGISTRY}/flux/busybox:1")
        found[node] |= set(docker(engines[node], *command, "sh", "-c", "cat /data/log 2>/dev/null || true").split())
    return found
