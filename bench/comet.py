"""A chain on CometBFT: transfers per second, time to a receipt, pace of blocks, next to CometBFT without a chain."""

import base64
import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

import msgspec

from bench.accounts import make_keys, sign_transfers
from bench.comet_nodes import TIMING, Nodes, ask_comet, our_validators, plain_comet
from bench.http_load import HttpLoad, check_accepted, post, request
from bench.measurement import Goal, Measurement, Report, Section
from flux.primitives.hexadecimal import to_hex
from flux.wallet.local_key import LocalKey

SIZES = {1: 10_000, 4: 4_000}
"""Transfers in a burst, by how many validators."""
RUNS = 3
BATCH = 100
CONNECTIONS = 8
ACCOUNTS = 80
PROBES = 60
_POLL = 0.002
_PATIENCE = 300.0

METHOD = (
    "1 and 4 validators on this machine, all processes and the client sharing its cores; each validator is `flux chain "
    "start` with its `cometbft` (LMDB, each commit flushed). "
    f"Burst: {SIZES[1]:,} (1 validator) or {SIZES[4]:,} (4) transfers of {ACCOUNTS} accounts, signed before, in "
    f"batches of {BATCH} over {CONNECTIONS} connections spread over all validators; timed from the first byte sent "
    "until every account's last nonce is committed on the first validator. Latency: single transfers at random times "
    "on an idle network, from eth_sendRawTransaction to the receipt at the same validator. kvstore: the application "
    "built into CometBFT; bridge: our ABCI server with an application that does nothing; both with CometBFT's own "
    "mempool and broadcast_tx_async, the same number of transactions of the size of a transfer, batches, connections "
    f"and timing (pause {TIMING.pause * 1000:g} ms, gossip {TIMING.gossip * 1000:g} ms), until as many are in blocks."
)


@dataclass(slots=True)
class _Values:
    """Of one network, one per run."""

    rates: list[float] = field(default_factory=list)
    application: list[float] = field(default_factory=list)
    comet: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    comet_memory: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    intervals: list[float] = field(default_factory=list)


def run(report: Report) -> Section:
    """All of it."""
    keys = make_keys(ACCOUNTS)
    measurements: list[Measurement] = []
    for count in SIZES:
        ours = _measure(count, "flux", our_validators(count, keys), keys, report)
        kvstore = _measure(count, "kvstore", plain_comet(count, "kvstore"), keys, report)
        bridge = _measure(count, "bridge", plain_comet(count, "bridge"), keys, report)
        measurements += _measurements(count, ours, kvstore, bridge)
    return Section(title="CometBFT", method=METHOD, measurements=tuple(measurements))


def _measurements(count: int, ours: _Values, kvstore: _Values, bridge: _Values) -> list[Measurement]:
    name = f"{count} validator{'s' * (count > 1)}"
    goals = (Goal(1_000), Goal(300, at_least=False), Goal(2_000, at_least=False)) if count == 4 else (None, None, None)
    latencies = sorted(ours.latencies)
    shares = [100 * mine / theirs for mine, theirs in zip(bridge.rates, kvstore.rates, strict=True)]
    return [
        Measurement(
            what=f"{name}: committed transfers", unit="tx/s", values=tuple(ours.rates), goal=goals[0],
            reference=f"kvstore beside it: {sorted(kvstore.rates)[RUNS // 2]:,.0f}",
        ),
        Measurement(what=f"{name}: kvstore", unit="tx/s", values=tuple(kvstore.rates)),
        Measurement(what=f"{name}: a do-nothing application by our bridge", unit="tx/s", values=tuple(bridge.rates)),
        Measurement(what=f"{name}: … of kvstore", unit="%", values=tuple(shares), goal=Goal(80)),
        _one(f"{name}: sent to receipt, p50 of {len(latencies)}", "ms", _quantile(latencies, 0.5), goals[1]),
        _one(f"{name}: sent to receipt, p99 of {len(latencies)}", "ms", _quantile(latencies, 0.99), goals[2]),
        Measurement(what=f"{name}: between two blocks, idle", unit="ms", values=tuple(ours.intervals)),
        Measurement(what=f"{name}: CPU of all applications", unit="µs/tx", values=tuple(ours.application)),
        Measurement(what=f"{name}: CPU of all cometbft", unit="µs/tx", values=tuple(ours.comet)),
        Measurement(what=f"{name}: CPU of all cometbft with kvstore", unit="µs/tx", values=tuple(kvstore.comet)),
        Measurement(what=f"{name}: memory of an application", unit="MiB", values=tuple(ours.memory)),
        Measurement(what=f"{name}: memory of a cometbft", unit="MiB", values=tuple(ours.comet_memory)),
    ]  # fmt: skip


def _one(what: str, unit: str, value: float, goal: Goal | None) -> Measurement:
    return Measurement(what=what, unit=unit, values=(value,), goal=goal)


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _measure(
    count: int,
    kind: str,
    network: AbstractContextManager[Nodes],
    keys: Sequence[LocalKey],
    report: Report,
) -> _Values:
    values, size = _Values(), SIZES[count]
    with network as nodes:
        if kind == "flux":
            report(f"CometBFT: {count} validators, latency")
            values.intervals += _intervals(nodes)
            values.latencies += _latencies(nodes, keys[0])
        for number in range(RUNS):
            report(f"CometBFT: {count} validators, {kind}, run {number + 1} of {RUNS}")
            before = nodes.usage()
            took = _transfers(nodes, keys, number, size) if kind == "flux" else _raw(nodes, size)
            after = nodes.usage()
            values.rates.append(size / took)
            values.application.append((after.application - before.application) / size * 1e6)
            values.comet.append((after.comet - before.comet) / size * 1e6)
            values.memory.append(after.application_memory)
            values.comet_memory.append(after.comet_memory)
    return values


def _transfers(nodes: Nodes, keys: Sequence[LocalKey], number: int, size: int) -> float:
    """One burst; seconds until all are committed. The first account's nonces begin behind the latency's."""
    senders, rounds = keys[1:], size // (len(keys) - 1)
    signed = list(sign_transfers(senders, number * rounds, rounds * len(senders)))
    by_sender = [signed[index :: len(senders)] for index in range(len(senders))]
    queues: list[list[bytes]] = [[] for _ in range(CONNECTIONS)]
    for connection in range(CONNECTIONS):
        requests = [
            msgspec.json.encode(request("eth_sendRawTransaction", to_hex(item.raw)))
            for own in by_sender[connection::CONNECTIONS]
            for item in own
        ]
        queues[connection] = _batches(requests)
    started = time.perf_counter()
    check_accepted(_spread(nodes.rpc, queues))
    asked = [request("eth_getTransactionCount", to_hex(key.address), "latest") for key in senders]
    with HttpLoad(nodes.rpc[0], 1) as first:
        _until(lambda: min(_quantities(first.ask(asked))) >= (number + 1) * rounds)
    return (time.perf_counter() - started) * size / (rounds * len(senders))


def _raw(nodes: Nodes, size: int) -> float:
    """One burst of key=value transactions of a transfer's size into CometBFT's RPC; seconds until all are in blocks."""
    height = int(ask_comet(nodes.comet_rpc[0], "status")["sync_info"]["latest_block_height"])
    transactions = [
        base64.b64encode(b"%s=%s" % (os.urandom(24).hex().encode(), b"v" * 60)).decode() for _ in range(size)
    ]
    requests = [
        msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "broadcast_tx_async", "params": {"tx": item}})
        for item in transactions
    ]
    queues = [_batches(requests[connection::CONNECTIONS]) for connection in range(CONNECTIONS)]
    started = time.perf_counter()
    check_accepted(_spread(nodes.rpc, queues))
    found, looked_at = 0, height

    def all_are_in_blocks() -> bool:
        nonlocal found, looked_at
        newest = int(ask_comet(nodes.comet_rpc[0], "status")["sync_info"]["latest_block_height"])
        while looked_at < newest:
            last = min(newest, looked_at + 20)
            page = ask_comet(nodes.comet_rpc[0], f"blockchain?minHeight={looked_at + 1}&maxHeight={last}")
            found += sum(int(meta["num_txs"]) for meta in page["block_metas"])
            looked_at = last
        return found >= size

    _until(all_are_in_blocks)
    return time.perf_counter() - started


def _spread(ports: Sequence[int], queues: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Send each queue over a connection of its own, to the nodes in turn."""
    with HttpLoad(ports[0], 0) as load:
        for connection in range(len(queues)):
            load.connect(ports[connection % len(ports)])
        return load.run(queues)


def _latencies(nodes: Nodes, key: LocalKey) -> list[float]:
    """Milliseconds from sending to the receipt, at random times."""
    draw, found = random.Random(1), []
    for number, item in enumerate(sign_transfers([key], 0, PROBES)):
        time.sleep(draw.uniform(0, 0.3))
        with HttpLoad(nodes.rpc[number % len(nodes.rpc)], 1) as node:
            wanted = request("eth_getTransactionReceipt", to_hex(item.hash))
            started = time.perf_counter()
            node.ask(request("eth_sendRawTransaction", to_hex(item.raw)))
            _until(partial(_has_result, node, wanted))
            found.append((time.perf_counter() - started) * 1000)
    return found


def _intervals(nodes: Nodes) -> list[float]:
    """Milliseconds between blocks of an idle network, over ten seconds, by CometBFT's clock on this machine."""
    first = int(ask_comet(nodes.comet_rpc[0], "status")["sync_info"]["latest_block_height"])
    started = time.perf_counter()
    time.sleep(10)
    last = int(ask_comet(nodes.comet_rpc[0], "status")["sync_info"]["latest_block_height"])
    return [(time.perf_counter() - started) * 1000 / max(1, last - first)]


def _batches(requests: Sequence[bytes]) -> list[bytes]:
    parts = [requests[start : start + BATCH] for start in range(0, len(requests), BATCH)]
    return [post(b"[" + b",".join(part) + b"]") for part in parts]


def _quantities(answers: object) -> list[int]:
    return [int(str(answer["result"]), 16) for answer in msgspec.convert(answers, list[dict[str, object]])]


def _has_result(node: HttpLoad, asked: dict[str, object]) -> bool:
    return msgspec.convert(node.ask(asked), dict[str, object]).get("result") is not None


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the network did not commit what it was given")
        time.sleep(_POLL)
