"""Docker Swarm on the same hosts: three managers, two workers, ports of the hosts (this kernel may lack IPVS).

What is timed is asked of every host's port directly, which is kinder than any way through a proxy; requests during
updates go through a Caddy with the same rules as ours.
"""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tools.hosts.host import Host
from tools.hosts.lab import HTTP_PORT, REGISTRY, Lab
from tools.programs import docker

from bench.hosts_load import INSTANCES, Counts, Figures, Load, failed_percent, load
from bench.measurement import Report
from flux.ingress.config import caddy_config
from flux.ingress.options import IngressOptions
from flux.ingress.routes import App, RouteRules, Target, caddy_routes

MANAGERS = 3
MONITOR = "10s"
"""How long an updated task is watched. Swarm goes on meanwhile, unless it is told to wait before the next one."""
_PORT = 8000
_WAIT = 180.0
_SERVICE = (
    "--publish", f"mode=host,target={_PORT},published={_PORT}", "--env", "NODE={{.Node.ID}}",
    "--env", "FLUX_NODE={{.Task.ID}}", "--limit-cpu", "0.5", "--limit-memory", "64M", "--update-order", "start-first",
    "--update-parallelism", "1", "--update-monitor", MONITOR, "--update-failure-action", "rollback",
)  # fmt: skip


async def measure_swarm(lab: Lab, counts: Counts, report: Report) -> Figures:
    """On hosts whose Engines run; they form a swarm of their own."""
    swarm = _Swarm(lab)
    await swarm.form()
    await lab.pull("flux/hello-web:1")
    figures = Figures()
    for number in range(counts.deploys + 1):
        report(f"swarm: deploy {number + 1} of {counts.deploys + 1}")
        took = await swarm.deploy(f"deployed-{number}")
        if number:
            figures.deploys.append(took)
    await swarm.create("kept")
    async with load(swarm.urls, {}) as made:
        await made.until(lambda: len(made.first_at) == INSTANCES, "all tasks answer", _WAIT)
        for number in range(counts.kills):
            report(f"swarm: host {number + 1} of {counts.kills} dies")
            figures.failovers.append(await swarm.kill(made, leader=False))
        for number in range(counts.leader_kills):
            report(f"swarm: leader {number + 1} of {counts.leader_kills} dies")
            figures.leader_failovers.append(await swarm.kill(made, leader=True))
    with _front(lab):
        await _updates(swarm, lab, counts, figures, report)
    return figures


async def _updates(swarm: "_Swarm", lab: Lab, counts: Counts, figures: Figures, report: Report) -> None:
    async with load([f"{lab.url}/whoami"], lab.host_header("kept")) as made:
        await made.until(lambda: bool(made.first_at), "the proxy answers", _WAIT)
        for number in range(counts.updates):
            for delay, took in ((MONITOR, figures.updates), ("0s", figures.hasty_updates)):
                report(f"swarm: update {number + 1} of {counts.updates}, {delay} apart")
                started = time.monotonic()
                change = ("--update-delay", delay, "--env-add", f"GREETING={number} {delay}")
                await swarm.ask("service", "update", "--quiet", *change, "kept")
                ended = time.monotonic()
                await made.settled_since(started)
                took.append(ended - started)
                figures.update_failed.append(failed_percent(made.between(started, ended)))


class _Swarm:
    """The hosts as a swarm."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._hosts = lab.hosts
        self._ids: dict[str, Host] = {}
        """By id of the swarm's node."""
        self._dead: set[str] = set()
        """Names of hosts."""
        self.urls = [f"http://{host.place.address}:{_PORT}/whoami" for host in lab.hosts]

    async def form(self) -> None:
        first = self._hosts[0]
        await _docker(first, "swarm", "init", "--advertise-addr", first.place.address)
        for role, hosts in (("manager", self._hosts[1:MANAGERS]), ("worker", self._hosts[MANAGERS:])):
            token = (await _docker(first, "swarm", "join-token", "--quiet", role)).strip()
            for host in hosts:
                address = ("--advertise-addr", host.place.address, f"{first.place.address}:2377")
                await _docker(host, "swarm", "join", "--token", token, *address)
        for host in self._hosts:
            self._ids[(await _docker(host, "info", "--format", "{{.Swarm.NodeID}}")).strip()] = host

    async def ask(self, *arguments: str) -> str:
        """What a living manager says."""
        manager = next(host for host in self._hosts[:MANAGERS] if host.name not in self._dead)
        return await _docker(manager, *arguments)

    async def create(self, name: str) -> None:
        image = f"{REGISTRY}/flux/hello-web:1"
        await self.ask("service", "create", "--detach", "--name", name, "--replicas", str(INSTANCES), *_SERVICE, image)

    async def deploy(self, name: str) -> float:
        """Seconds from the command's start until each task answers."""
        async with load(self.urls, {}) as made:
            started = time.monotonic()
            creating = asyncio.create_task(self.create(name))
            await made.until(lambda: len(made.first_at) == INSTANCES, f"{INSTANCES} tasks answer", _WAIT)
            took = max(made.first_at.values()) - started
            await creating
        await self.ask("service", "rm", name)
        await self._lab.until(self._are_ports_free, "the tasks are gone")
        return took

    async def kill(self, made: Load, *, leader: bool) -> float:
        """Seconds from the death of a task's host until a new task answers; then the host comes back."""
        if leader:
            await self._give_leader_a_task()
        running = await self._running()
        leader_host = await self._leader()
        victim = next(host for host in running.values() if (host is leader_host) is leader)
        made.forget()
        await made.until(lambda: len(made.first_at) >= INSTANCES, "all tasks answer", _WAIT)
        names = {request.answerer for request in made.requests}
        started = time.monotonic()
        self._dead.add(victim.name)
        await victim.kill()
        await made.until(lambda: not made.first_at.keys() <= names, "a new task answers", _WAIT)
        took = min(moment for task, moment in made.first_at.items() if task not in names) - started
        await victim.restore_engine()
        self._dead.remove(victim.name)
        await self._lab.until(self._is_whole, "the swarm is whole again", _WAIT)
        return took

    async def _give_leader_a_task(self) -> None:
        """Every host gets one; then two hosts that do not lead are drained until their tasks are forgotten."""
        leader = await self._leader()
        await self.ask("service", "scale", f"kept={len(self._hosts)}", "--detach")
        await self._lab.until(lambda: self._has_running(len(self._hosts)), "every host has a task", _WAIT)
        idle = [node for node, host in self._ids.items() if host is not leader][: len(self._hosts) - INSTANCES]
        for node in idle:
            await self.ask("node", "update", "--availability", "drain", node)
        await self._lab.until(lambda: self._has_running(INSTANCES), "two hosts are drained", _WAIT)
        await self.ask("service", "scale", f"kept={INSTANCES}", "--detach")
        await self._lab.until(self._has_nothing_else, "nothing waits", _WAIT)
        for node in idle:
            await self.ask("node", "update", "--availability", "active", node)
        await self._lab.until(self._has_nothing_else, "nothing moves", _WAIT)

    async def _leader(self) -> Host:
        lines = (await self.ask("node", "ls", "--format", "{{.ID}} {{.ManagerStatus}}")).splitlines()
        return self._ids[next(line.split()[0] for line in lines if line.endswith(" Leader"))]

    async def _tasks(self, state: str) -> list[str]:
        shown = await self.ask(
            "service", "ps", "kept", "--no-trunc", "--filter", "desired-state=running", "--format",
            "{{.ID}} {{.CurrentState}}",
        )  # fmt: skip
        return [line.split()[0] for line in shown.splitlines() if line.split()[1] == state]

    async def _running(self) -> dict[str, Host]:
        """By task."""
        found = {}
        for task in await self._tasks("Running"):
            found[task] = self._ids[(await self.ask("inspect", "--format", "{{.NodeID}}", task)).strip()]
        return found

    async def _has_running(self, count: int) -> bool:
        return len(await self._tasks("Running")) == count

    async def _has_nothing_else(self) -> bool:
        """Only the wanted tasks, and none on its way to run."""
        states = ("New", "Pending", "Assigned", "Accepted", "Ready", "Preparing", "Starting")
        waiting = [task for state in states for task in await self._tasks(state)]
        return not waiting and await self._has_running(INSTANCES)

    async def _is_whole(self) -> bool:
        shown = await self.ask("node", "ls", "--format", "{{.Status}} {{.ManagerStatus}}")
        states = shown.splitlines()
        return (
            all(state.startswith("Ready") and "Unreachable" not in state for state in states)
            and any(state.endswith("Leader") for state in states)
            and await self._has_running(INSTANCES)
        )

    async def _are_ports_free(self) -> bool:
        return not any(await asyncio.gather(*(_docker(host, "ps", "--quiet") for host in self._hosts)))


async def _docker(host: Host, *arguments: str) -> str:
    return await asyncio.to_thread(docker, host.daemon.host, *arguments)


@contextmanager
def _front(lab: Lab) -> Iterator[None]:
    """Caddy before all hosts, with our rules and checks of its own each second."""
    home = lab.directory / "front"
    options = IngressOptions(home=home, http_port=HTTP_PORT)
    rules = RouteRules(options.domain, "no cookies")
    targets = tuple(Target(host.place.address, _PORT) for host in lab.hosts)
    routes = caddy_routes([App("kept", f"kept.{options.domain}", False, targets)], (), rules)
    active = {"uri": "/whoami", "interval": "1s", "timeout": "1s"}
    for route in routes:
        for handler in route["handle"]:
            if handler["handler"] == "reverse_proxy":
                handler["health_checks"]["active"] = active
    home.mkdir()
    configuration = home / "caddy.json"
    configuration.write_text(json.dumps(caddy_config(options, home / "admin.sock", routes)), encoding="utf-8")
    command = lab.switch.places["edge"].namespace.command("caddy", "run", "--config", str(configuration))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
