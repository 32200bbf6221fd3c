"""Deaths of whole hosts: Flux and Docker Swarm, one after the other, on the same network of namespaces."""

import asyncio
import statistics
from pathlib import Path

import msgspec
from tools.hosts.lab import DIRECTORY, built, make_lab, running_lab, start_engines

from bench.hosts_flux import measure_flux
from bench.hosts_load import INSTANCES, PACE, Counts, Figures
from bench.hosts_swarm import MANAGERS, MONITOR, measure_swarm
from bench.measurement import Goal, Measurement, Report, Section

HOSTS = 5
REFERENCE = "on a quiet machine of this size: 18.5 s, 48 s when the dead host was the leader"
OURS = Counts()
THEIRS = Counts(kills=8)

METHOD = (
    f"{HOSTS} hosts, each a network namespace with a Docker Engine and a disk of its own, on one switch; the chain "
    "(solo), the ingress and the client are in namespaces too. The service is one small container; its image is on "
    "every host. A host dies by power failure: its line is cut, and its agent, Engine and containers are killed. "
    f"Requests begin every {PACE * 1000:.0f} ms; one that is not answered 200 in 10 s has failed. Deploying: from the "
    f"start of the command until each of {INSTANCES} instances has answered. Losing a host: from the cut until an "
    "instance that was not there before has answered; failed requests are those that began in that time, while two "
    "other instances lived. Updating: the whole command, which replaces one instance after the other, start-first, "
    f"each watched for {MONITOR} before the next one's turn. Swarm: Docker's own, {MANAGERS} managers, the same five "
    "hosts, ports of the hosts; it is asked at every host's port directly, and during updates through a Caddy with "
    "our rules."
)


def run(report: Report) -> Section:
    """Ours, then theirs."""
    ours, theirs = asyncio.run(_run(report))
    return Section(title="Hosts that die, and Docker Swarm", method=METHOD, measurements=tuple(_table(ours, theirs)))


async def _run(report: Report) -> tuple[Figures, Figures]:
    async with running_lab(DIRECTORY, HOSTS, say=lambda line: report(f"hosts: {line}")) as lab:
        ours = await measure_flux(lab, OURS, report)
    return ours, await _swarm(DIRECTORY, report)


async def _swarm(directory: Path, report: Report) -> Figures:
    with built(make_lab(directory, HOSTS, live_restore=False)) as lab:
        await start_engines(lab, [host.start_engine for host in lab.hosts])
        return await measure_swarm(lab, THEIRS, report)


def _table(ours: Figures, theirs: Figures) -> list[Measurement]:
    return [
        _ahead(f"deploy → 200 from all {INSTANCES}", ours.deploys, theirs.deploys),
        _swarm_row(f"deploy → 200 from all {INSTANCES}", theirs.deploys),
        _row("host dies → replacement serving", "s", ours.failovers, Goal(5.0, at_least=False)),
        _row("host dies → replacement serving, 95th percentile", "s", [_p95(ours.failovers)]),
        msgspec.structs.replace(_swarm_row("host dies → replacement serving", theirs.failovers), reference=REFERENCE),
        _swarm_row("host dies → replacement serving, the leader's", theirs.leader_failovers),
        _row("requests failed while a host is replaced", "%", [statistics.fmean(ours.failed)], Goal(1, at_least=False)),
        _ahead(f"update of {INSTANCES} instances", ours.updates, theirs.updates),
        _swarm_row(f"update of {INSTANCES} instances", theirs.updates),
        _swarm_row(f"update of {INSTANCES} instances, all watched at the same time", theirs.hasty_updates),
        _row("requests failed during an update", "%", ours.update_failed, Goal(0, at_least=False)),
        _row("Swarm: requests failed during an update", "%", theirs.update_failed),
    ]


def _ahead(what: str, ours: list[float], theirs: list[float]) -> Measurement:
    """Our figure with Swarm's median as its goal."""
    return _row(what, "s", ours, Goal(round(statistics.median(theirs), 2), at_least=False))


def _swarm_row(what: str, values: list[float]) -> Measurement:
    return _row(f"Swarm: {what}", "s", values)


def _row(what: str, unit: str, values: list[float], goal: Goal | None = None) -> Measurement:
    return Measurement(what=what, unit=unit, values=tuple(values), goal=goal)


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[18]
