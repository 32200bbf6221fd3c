"""Transfers per second end to end: over JSON-RPC into a durable chain, until every receipt can be read."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from bench.accounts import make_genesis, make_keys, sign_transfers
from bench.chain_process import ChainProcess, chain_home, running_chain
from bench.http_load import BadAnswer, HttpLoad, check_accepted, post, request
from bench.measurement import Goal, Measurement, Report, Section
from bench.stages import StagedChain, Stages
from flux.primitives.hexadecimal import to_hex
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.registry import ProtocolFactory
from flux.sdk.transaction import Signed
from flux.wallet.local_key import LocalKey

TRANSFERS = 10_000
ACCOUNTS = 100
CONNECTIONS = 8
BATCH = 100
RUNS = 3
WARM_UP = 1_000
STAGED = 5_000
STAGED_BLOCKS = 3
_POLL = 0.005

METHOD = (
    f"{TRANSFERS:,} signed EIP-1559 transfers from {ACCOUNTS} accounts over {CONNECTIONS} keep-alive HTTP connections, "
    "one request under way on each; one chain process (solo engine, LMDB, each commit flushed) and one client process "
    "(one thread, epoll, no HTTP library). Timed from the first byte sent until the receipt of every account's last "
    "transfer can be read, which means all are committed; then all receipts are fetched in batches of "
    f"{BATCH} and checked. Signing is done before, outside of the time. {WARM_UP:,} transfers warm the chain up. "
    f"CPU by stage: {STAGED_BLOCKS} blocks of {STAGED:,} such transfers through the same code in one process and "
    "thread; what the chain process uses beyond that is RPC, event loop and thread switches."
)


class _Receipt(msgspec.Struct):
    """What is looked at of a receipt."""

    status: str


class _Answer(msgspec.Struct):
    """Of eth_getTransactionReceipt."""

    result: _Receipt | None = None


@dataclass(slots=True)
class _Runs:
    """Values of one way of sending, one per run."""

    rates: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)
    chain: list[float] = field(default_factory=list)
    receipts: list[float] = field(default_factory=list)


def run(report: Report) -> Section:
    """Single requests, batches, and where the time goes."""
    keys = make_keys(ACCOUNTS)
    single, batched = _Runs(), _Runs()
    genesis = make_genesis(keys, int(time.time()))
    with chain_home(genesis) as home, running_chain(home) as chain, HttpLoad(chain.port, CONNECTIONS) as load:
        bench = _Bench(chain, load, keys)
        bench.warm_up()
        for number in range(RUNS):
            report(f"transfers: run {number + 1} of {RUNS}")
            bench.measure(single, 1)
            bench.measure(batched, BATCH)
    report("transfers: CPU by stage")
    in_chain = _stages(keys)
    measurements = [
        Measurement(
            what="transfers, one a request",
            unit="tx/s",
            values=tuple(single.rates),
            goal=Goal(2_000),
            reference="anvil (in memory, not durable): 4,300",
        ),
        Measurement(
            what=f"transfers, batches of {BATCH}",
            unit="tx/s",
            values=tuple(batched.rates),
            goal=Goal(6_000),
            reference="anvil (in memory, not durable): 4,600–5,900",
        ),
        Measurement(
            what=f"receipts fetched afterwards, batches of {BATCH}",
            unit="receipts/s",
            values=tuple(single.receipts + batched.receipts),
        ),
        _cpu("CPU of the client, one a request", single.client),
        _cpu("CPU of the client, batches", batched.client),
        _cpu("CPU of the chain process, one a request", single.chain, "anvil: 220–360 µs"),
        _cpu("CPU of the chain process, batches", batched.chain, "anvil: 220–360 µs"),
        *(_cpu(f"… of which {name}", values) for name, values in in_chain.items()),
        _cpu("… of which RPC, events, threads: the rest, one a request", _rest(single.chain, in_chain)),
        _cpu("… of which RPC, events, threads: the rest, batches", _rest(batched.chain, in_chain)),
    ]
    return Section(title="Transfers", method=METHOD, measurements=tuple(measurements))


def _stages(keys: Sequence[LocalKey]) -> dict[str, list[float]]:
    """CPU microseconds per transaction by stage, in the order that a transaction passes them."""
    genesis = make_genesis(keys, int(time.time()))
    stages = Stages(STAGED)
    with chain_home(genesis) as home:
        chain = StagedChain(home, genesis.params, chain_genesis(genesis, ProtocolFactory(genesis.params)))
        try:
            for number in range(STAGED_BLOCKS):
                nonce = number * STAGED // len(keys)
                chain.block([item.raw for item in sign_transfers(keys, nonce, STAGED)], stages)
        finally:
            chain.close()
    return stages.values


def _cpu(what: str, values: Sequence[float], reference: str = "") -> Measurement:
    return Measurement(what=what, unit="µs/tx", values=tuple(values), reference=reference)


def _rest(chain: Sequence[float], in_chain: dict[str, list[float]]) -> list[float]:
    """What the stages do not explain."""
    explained = sum(sorted(values)[len(values) // 2] for values in in_chain.values())
    return [value - explained for value in chain]


class _Bench:
    """One chain under load."""

    def __init__(self, chain: ChainProcess, load: HttpLoad, keys: Sequence[LocalKey]) -> None:
        self._chain = chain
        self._load = load
        self._keys = keys
        self._nonce = 0

    def warm_up(self) -> None:
        """Fill caches and let the allocator settle."""
        signed = self._sign(WARM_UP)
        check_accepted(self._load.run(_queues(signed, BATCH)))
        self._wait(signed)

    def measure(self, runs: _Runs, size: int) -> None:
        """One run, `size` transfers a request."""
        signed = self._sign(TRANSFERS)
        queues = _queues(signed, size)
        chain_before, client_before, started = self._chain.cpu_seconds(), time.process_time(), time.perf_counter()
        bodies = self._load.run(queues)
        self._wait(signed)
        took = time.perf_counter() - started
        client, chain = time.process_time() - client_before, self._chain.cpu_seconds() - chain_before
        check_accepted(bodies)
        runs.rates.append(TRANSFERS / took)
        runs.client.append(client / TRANSFERS * 1e6)
        runs.chain.append(chain / TRANSFERS * 1e6)
        runs.receipts.append(self._check_receipts(signed))

    def _sign(self, count: int) -> list[Signed]:
        signed = list(sign_transfers(self._keys, self._nonce, count))
        self._nonce += count // len(self._keys)
        return signed

    def _wait(self, signed: Sequence[Signed]) -> None:
        """Until the last transfer of every account has a receipt."""
        *_, newest = missing = [item.hash for item in signed[-len(self._keys) :]]
        while not _receipts(self._load.ask([_receipt_request(newest)]))[0]:
            time.sleep(_POLL)
        while not all(_receipts(self._load.ask([_receipt_request(item) for item in missing]))):
            time.sleep(_POLL)

    def _check_receipts(self, signed: Sequence[Signed]) -> float:
        """Fetch every receipt; how many came per second. Raises BadAnswer when one is missing or failed."""
        requests = [msgspec.json.encode(_receipt_request(item.hash)) for item in signed]
        queues = _shared(_batches(requests, BATCH))
        started = time.perf_counter()
        bodies = self._load.run(queues)
        took = time.perf_counter() - started
        check_accepted(bodies)
        receipts = [receipt for body in bodies for receipt in _receipts(msgspec.json.decode(body))]
        succeeded = sum(receipt is not None and receipt.status == "0x1" for receipt in receipts)
        if succeeded != len(signed):
            raise BadAnswer(f"{succeeded} of {len(signed)} transfers have a receipt that says success")
        return len(signed) / took


def _queues(signed: Sequence[Signed], size: int) -> list[list[bytes]]:
    """For each connection the requests to send: an account's transfers stay on one connection, in nonce order."""
    queues = []
    for connection in range(CONNECTIONS):
        own = [item for index, item in enumerate(signed) if index % ACCOUNTS % CONNECTIONS == connection]
        requests = [msgspec.json.encode(request("eth_sendRawTransaction", to_hex(item.raw))) for item in own]
        queues.append([post(item) for item in requests] if size == 1 else _batches(requests, size))
    return queues


def _batches(requests: Sequence[bytes], size: int) -> list[bytes]:
    parts = [requests[start : start + size] for start in range(0, len(requests), size)]
    return [post(b"[" + b",".join(part) + b"]") for part in parts]


def _shared(requests: Sequence[bytes]) -> list[list[bytes]]:
    return [list(requests[connection::CONNECTIONS]) for connection in range(CONNECTIONS)]


def _receipt_request(transaction_hash: bytes) -> dict[str, object]:
    return request("eth_getTransactionReceipt", to_hex(transaction_hash))


def _receipts(answers: object) -> list[_Receipt | None]:
    return [answer.result for answer in msgspec.convert(answers, list[_Answer])]
