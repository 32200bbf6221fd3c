"""Committed placements per second: apps submitted to a durable chain with 10,000 nodes until all leases are there."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import msgspec

from bench.accounts import make_genesis, make_keys, sign_call
from bench.chain_process import ChainProcess, chain_home, running_chain
from bench.fleet_state import NODES, specs, with_nodes
from bench.http_load import HttpLoad, check_accepted, post, request
from bench.measurement import Goal, Measurement, Report, Section
from bench.stages import StagedChain, Stages
from flux.contracts.addresses import APPS, MARKET
from flux.contracts.apps.types import AppId
from flux.contracts.market.types import Lease, LeaseId
from flux.primitives.hexadecimal import to_hex
from flux.primitives.types import U16, U64, Gas, flux
from flux.protocol.registry import ProtocolFactory
from flux.sdk.call import Call
from flux.sdk.transaction import Signed
from flux.wallet.local_key import LocalKey

ACCOUNTS = 100
CONNECTIONS = 8
RUNS = 3
SHAPES = ((100, 50), (500, 4), (1_000, 1))
"""Apps, and instances of each."""
STAGED = (40, 50)
STAGED_BLOCKS = 3
_GAS = Gas(U64(400_000))
_DEPOSIT = flux(20)
_POLL = 0.002

METHOD = (
    f"{NODES:,} registered and active nodes, every app with a spec (needs, constraints) of its own, spread over "
    f"operators. One chain process (solo engine, LMDB, each commit flushed), one client process, {CONNECTIONS} "
    f"keep-alive connections; deploys from {ACCOUNTS} accounts, signed before, sent in batches. Timed from the first "
    "byte sent until the last lease is readable: all leases, logs, receipts and the state root are committed and "
    "flushed. One app is deployed before, so that the process knows the nodes. CPU by stage: "
    f"{STAGED_BLOCKS} blocks of {STAGED[0]} apps with {STAGED[1]} instances in one process and thread."
)

_deploy = Call(APPS, "deploy", (str, U16, bytes, bytes), AppId)
_lease = Call(MARKET, "lease", (LeaseId,), Lease)


@dataclass(slots=True)
class _Runs:
    """Values of one shape, one per run."""

    rates: list[float] = field(default_factory=list)
    chain: list[float] = field(default_factory=list)


def run(report: Report) -> Section:
    """Three shapes of load, and where the time goes."""
    keys = make_keys(ACCOUNTS)
    genesis = make_genesis(keys, int(time.time()))
    factory = ProtocolFactory(genesis.params)
    runs = {shape: _Runs() for shape in SHAPES}
    with chain_home(genesis) as home:
        report(f"committed placements: registering {NODES:,} nodes")
        stages = Stages(STAGED[0] * STAGED[1])
        deploys = _Deploys(keys)
        staged = StagedChain(home, genesis.params, with_nodes(genesis, factory))
        try:
            staged.block([item.raw for item in deploys.take(1, 1)], Stages(1))
            for number in range(STAGED_BLOCKS):
                report(f"committed placements: stages, block {number + 1} of {STAGED_BLOCKS}")
                staged.block([item.raw for item in deploys.take(*STAGED)], stages)
        finally:
            staged.close()
        with running_chain(home) as chain, HttpLoad(chain.port, CONNECTIONS) as load:
            bench = _Bench(chain, load, deploys)
            bench.warm_up()
            for number in range(RUNS):
                report(f"committed placements: run {number + 1} of {RUNS}")
                for (apps, instances), values in runs.items():
                    bench.measure(values, apps, instances)
    rates = [
        Measurement(
            what=f"committed placements, {apps:,} apps with {instances} instance{'s' * (instances > 1)} each",
            unit="/s",
            values=tuple(values.rates),
            goal=Goal(4_500),
            reference="Swarm 4,300 (1,000 like tasks on 3 hosts); Nomad C1M 3,750; Kubernetes about 100",
        )
        for (apps, instances), values in runs.items()
    ]
    cpu = [
        _cpu(f"CPU of the chain process, apps with {instances} instance{'s' * (instances > 1)}", values.chain)
        for (_, instances), values in runs.items()
    ]
    by_stage = [_cpu(f"… with {STAGED[1]} instances: {name}", values) for name, values in stages.values.items()]
    return Section(title="Committed placements", method=METHOD, measurements=(*rates, *cpu, *by_stage))


def _cpu(what: str, values: Sequence[float]) -> Measurement:
    return Measurement(what=what, unit="µs/placement", values=tuple(values))


class _Deploys:
    """Signed deployments, each of another app by the next account."""

    def __init__(self, keys: Sequence[LocalKey]) -> None:
        self._keys = keys
        self._numbers = count()
        self._specs: Iterator[bytes] = specs()

    def take(self, apps: int, instances: int) -> list[Signed]:
        """The next ones."""
        signed = []
        for number in (next(self._numbers) for _ in range(apps)):
            nonce, index = divmod(number, len(self._keys))
            data = _deploy.encode(f"bench-{number}", instances, next(self._specs), b"")
            signed.append(sign_call(self._keys[index], nonce, APPS, data, _DEPOSIT, _GAS))
        return signed


class _Bench:
    """One chain under load."""

    def __init__(self, chain: ChainProcess, load: HttpLoad, deploys: _Deploys) -> None:
        self._chain = chain
        self._load = load
        self._deploys = deploys
        self._leases = 1 + STAGED_BLOCKS * STAGED[0] * STAGED[1]

    def warm_up(self) -> None:
        """The first placement of a process reads all nodes."""
        self._send(self._deploys.take(1, 1))
        self._wait(1)

    def measure(self, runs: _Runs, apps: int, instances: int) -> None:
        """One run."""
        placements = apps * instances
        queues = _queues(self._deploys.take(apps, instances))
        cpu, started = self._chain.cpu_seconds(), time.perf_counter()
        bodies = self._load.run(queues)
        self._wait(placements)
        took = time.perf_counter() - started
        runs.chain.append((self._chain.cpu_seconds() - cpu) / placements * 1e6)
        check_accepted(bodies)
        runs.rates.append(placements / took)

    def _send(self, signed: Sequence[Signed]) -> None:
        check_accepted(self._load.run(_queues(signed)))

    def _wait(self, placements: int) -> None:
        """Until so many more leases exist: their ids are dense, so the last one tells. Asked once per block."""
        self._leases += placements
        deadline = time.monotonic() + 60
        height: object = None
        while True:
            newest = self._ask("eth_blockNumber").get("result")
            if newest != height and "result" in self._ask("eth_call", *_lease_call(self._leases)):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"lease {self._leases} was not made in a minute")
            height = newest
            time.sleep(_POLL)

    def _ask(self, method: str, *params: object) -> dict[str, object]:
        return msgspec.convert(self._load.ask(request(method, *params)), dict[str, object])


def _lease_call(lease: int) -> tuple[dict[str, str], str]:
    return {"to": to_hex(MARKET), "data": to_hex(_lease.encode(lease))}, "latest"


def _queues(signed: Sequence[Signed]) -> list[list[bytes]]:
    """One batch a connection; an account's transactions stay on one connection, in nonce order."""
    queues = []
    for connection in range(CONNECTIONS):
        own = [item for index, item in enumerate(signed) if index % ACCOUNTS % CONNECTIONS == connection]
        requests = [msgspec.json.encode(request("eth_sendRawTransaction", to_hex(item.raw))) for item in own]
        queues.append([post(b"[" + b",".join(requests) + b"]")] if requests else [])
    return queues
