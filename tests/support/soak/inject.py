"""Making a fault happen to a lab, and putting everything right again."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

from tools.dockerd import Daemon
from tools.hosts.host import Host
from tools.hosts.lab import Lab
from tools.hosts.process import set_clock

from support.soak.faults import Fault, Kind, Part
from support.soak.processes import Spot, caddy_pids, spot_of

HOUR = 3600


class Injector:
    """What is broken at the moment."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._paused: set[int] = set()
        self.hits: Counter[Spot] = Counter()
        """How often something happened to an instance that may have ended a container of it."""

    async def inject(self, fault: Fault) -> None:
        lab = self._lab
        self.hits.update(self._hit(fault))
        match fault.kind:
            case Kind.KILL | Kind.PAUSE:
                for pid in self._pids(fault):
                    _signal(pid, signal.SIGKILL if fault.kind is Kind.KILL else signal.SIGSTOP)
                    if fault.kind is Kind.PAUSE:
                        self._paused.add(pid)
            case Kind.CUT:
                lab.switch.unplug(fault.place)
            case Kind.APART:
                other = lab.hosts[(self._host(fault).index + 1) % len(lab.hosts)]
                lab.switch.put_apart([fault.place, other.name])
            case Kind.FILL:
                disk = lab.disk if fault.place == "chain" else self._host(fault).disk
                await asyncio.to_thread(disk.fill)
            case Kind.AHEAD | Kind.BEHIND:
                clock = lab.clock if fault.place == "chain" else self._host(fault).clock
                set_clock(clock, HOUR if fault.kind is Kind.AHEAD else -HOUR)
            case Kind.POWER:
                await self._host(fault).kill()

    async def mend(self) -> None:
        """Put right whatever can be wrong, as a supervisor and an operator do; what is well is not touched."""
        lab = self._lab
        for pid in self._paused:
            _signal(pid, signal.SIGCONT)
        self._paused.clear()
        lab.disk.empty()
        set_clock(lab.clock, 0)
        if lab.registry is not None and not lab.registry.is_running:
            await asyncio.to_thread(lab.registry.start)
        lab.switch.put_together()
        for name in lab.switch.places:
            lab.switch.plug(name)
        if lab.chain is None or lab.chain.exit_code is not None:
            lab.start_chain()
        if lab.ingress is None or lab.ingress.exit_code is not None:
            lab.start_ingress()
        await asyncio.gather(*(self._mend_host(host) for host in lab.hosts))

    async def _mend_host(self, host: Host) -> None:
        host.disk.empty()
        set_clock(host.clock, 0)
        if not await asyncio.to_thread(host.daemon.is_answering):
            await asyncio.to_thread(host.daemon.resume)
        if not host.is_agent_alive:
            host.start_agent()

    def _host(self, fault: Fault) -> Host:
        return next(host for host in self._lab.hosts if host.name == fault.place)

    def _pids(self, fault: Fault) -> list[int]:
        lab = self._lab
        match fault.part:
            case Part.CHAIN:
                return [] if lab.chain is None else [lab.chain.pid]
            case Part.INGRESS:
                return [] if lab.ingress is None else [lab.ingress.pid]
            case Part.CADDY:
                return caddy_pids(lab)
            case Part.REGISTRY:
                process = None if lab.registry is None else lab.registry.process
                return [] if process is None else [process.pid]
            case Part.AGENT:
                agent = self._host(fault).agent
                return [] if agent is None else [agent.pid]
            case Part.DOCKERD | Part.CONTAINERD:
                return self._host(fault).daemon.pids(str(fault.part))
            case Part.SHIM:
                return self._first(fault, lambda daemon: daemon.pids("containerd-shim-runc-v2"))
            case Part.CONTAINER:
                return self._first(fault, Daemon.container_pids)
        return []

    def _hit(self, fault: Fault) -> set[Spot]:
        """Instances whose containers may end by the fault: those of its host, and of the next if it has none."""
        if fault.place not in [host.name for host in self._lab.hosts] or fault.part is Part.AGENT:
            return set()
        pids: Iterable[int] = self._host(fault).daemon.container_pids()
        if fault.part in (Part.SHIM, Part.CONTAINER):
            pids = self._all_of_first(fault, Daemon.container_pids)
        return {spot for pid in pids if (spot := spot_of(pid)) is not None}

    def _first(self, fault: Fault, pids_of: Callable[[Daemon], list[int]]) -> list[int]:
        """The first on the fault's host, or on the next host that has any."""
        return self._all_of_first(fault, pids_of)[:1]

    def _all_of_first(self, fault: Fault, pids_of: Callable[[Daemon], list[int]]) -> list[int]:
        index = self._host(fault).index
        hosts = [*self._lab.hosts[index:], *self._lab.hosts[:index]]
        return next((pids for host in hosts if (pids := pids_of(host.daemon))), [])


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
