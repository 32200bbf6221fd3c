"""What a chain process shows: blocks, transactions, mempool, fees, commits, and what the market holds."""

import asyncio
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flux.chain.application import Application, FinalizedBlock
from flux.chain.block import Block
from flux.chain.world import ChainWorld
from flux.contracts import addresses
from flux.contracts.market.state import MarketState
from flux.contracts.market.types import CloseReason, LeaseAssigned, LeaseClosed, LeaseState
from flux.kernel.context import ContractStorage
from flux.kernel.events import event_codec
from flux.services.observe.server import Check

HEAD_FRESH = 20.0
"""Seconds after which a head is old: an idle solo chain makes a block each 5 s, CometBFT more often."""
CENSUS_FRESH = 15.0
"""Seconds that a count of the market is shown before it is made again: it walks all leases that are kept."""
_COMMIT_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_ASSIGNED = event_codec(LeaseAssigned)
_CLOSED = event_codec(LeaseClosed)


class TimedApplication(Application):
    """The application, with a clock held beside its commits: the chain itself has none."""

    commit_seconds: Callable[[float], None] = staticmethod(lambda _: None)

    def commit(self, finalized: FinalizedBlock) -> Block:
        begun = time.perf_counter()
        block = super().commit(finalized)
        self.commit_seconds(time.perf_counter() - begun)
        return block


class ChainMetrics:
    """Counts committed blocks; reads the rest when it is asked."""

    def __init__(self, application: TimedApplication, registry: CollectorRegistry, engine: str) -> None:
        self._application = application
        self._census = MarketCensus(application)
        self._blocks = Counter("flux_chain_blocks", "Blocks committed by this process.", registry=registry)
        self._transactions = Counter(
            "flux_chain_transactions", "Transactions in committed blocks, system transactions left out.",
            ["outcome"], registry=registry,
        )  # fmt: skip
        self._gas = Counter("flux_chain_gas_used", "Gas used by committed blocks.", registry=registry)
        self._dropped = Counter(
            "flux_chain_transactions_dropped", "Transactions that proved invalid while a block was made.",
            registry=registry,
        )  # fmt: skip
        self._faults = Counter("flux_chain_contract_faults", "Bugs in contracts that were met.", registry=registry)
        self._placements = Counter("flux_market_placements", "Leases assigned.", registry=registry)
        self._closed = Counter("flux_market_leases_closed", "Leases closed, by reason.", ["reason"], registry=registry)
        commit = Histogram(
            "flux_chain_commit_seconds", "Time to write a block durably.", buckets=_COMMIT_BUCKETS, registry=registry
        )
        application.commit_seconds = commit.observe
        info = Gauge("flux_chain_info", "1; says which chain this is.", ["chain_id", "engine"], registry=registry)
        info.labels(str(application.chain_id), engine).set(1)
        for reason in CloseReason:
            if reason is not CloseReason.NONE:
                self._closed.labels(reason.name.lower())
        for outcome in ("succeeded", "reverted"):
            self._transactions.labels(outcome)
        registry.register(_ChainState(application))
        registry.register(self._census)

    def committed(self, finalized: FinalizedBlock) -> None:
        """A block was committed. From the thread that did it."""
        self._blocks.inc()
        self._gas.inc(finalized.block.header.gas_used)
        self._dropped.inc(len(finalized.dropped))
        self._faults.inc(len(finalized.faults))
        succeeded = sum(receipt.succeeded for receipt in finalized.receipts[:-1])
        self._transactions.labels("succeeded").inc(succeeded)
        self._transactions.labels("reverted").inc(max(0, len(finalized.receipts) - 1) - succeeded)
        for receipt in finalized.receipts:
            for entry in receipt.logs:
                if entry.topics[:1] == (_ASSIGNED.topic0,):
                    self._placements.inc()
                elif entry.topics[:1] == (_CLOSED.topic0,):
                    event = _CLOSED.decode(list(entry.topics), entry.data)
                    self._closed.labels(reason_name(event.reason)).inc()  # type: ignore[attr-defined]

    async def refresh(self) -> None:
        """Count the market again where the last count is old; in a thread, since it walks the state."""
        await asyncio.to_thread(self._census.refresh)

    async def checks(self) -> Sequence[Check]:
        """Whether the head is fresh and the database takes blocks."""
        age = time.time() - self._application.ledger.head().header.timestamp
        fresh = Check("head", age <= HEAD_FRESH, f"the newest block is {age:.0f} s old, {HEAD_FRESH:g} s are allowed")
        suspended = self._application.suspended
        return (fresh, Check("database", suspended is None, f"blocks cannot be written: {suspended}"))


class MarketCensus(Collector):
    """Leases by state and instances that wait, counted in the newest state now and then."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._counted_at = float("-inf")
        self._leases: Tally[str] = Tally()
        self._waiting = 0

    def refresh(self) -> None:
        """Count again unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._counted_at < CENSUS_FRESH:
            return
        with self._application.ledger.state_at() as view:
            state = MarketState(ContractStorage(ChainWorld(view.reader), addresses.MARKET))
            self._leases = Tally(LeaseState(lease.state).name.lower() for _, lease in state.leases.items())
            self._waiting = sum(1 for _ in state.waiting.items())
        self._counted_at = now

    def collect(self) -> Iterator[Metric]:
        leases = GaugeMetricFamily(
            "flux_market_leases", "Leases by state; of closed ones those that are still kept.", labels=["state"]
        )
        for state in LeaseState:
            leases.add_metric([state.name.lower()], self._leases[state.name.lower()])
        yield leases
        yield GaugeMetricFamily("flux_market_pending_instances", "Instances that wait for a node.", self._waiting)


class _ChainState(Collector):
    def __init__(self, application: Application) -> None:
        self._application = application

    def collect(self) -> Iterator[Metric]:
        header, mempool = self._application.ledger.head().header, self._application.mempool
        yield GaugeMetricFamily("flux_chain_height", "Number of the newest block.", header.number)
        yield GaugeMetricFamily("flux_chain_head_timestamp_seconds", "Time of the newest block.", header.timestamp)
        yield GaugeMetricFamily("flux_chain_base_fee_wei", "Base fee of the newest block, per gas.", header.base_fee)
        waiting = GaugeMetricFamily("flux_chain_mempool_transactions", "Transactions that wait.", labels=["state"])
        waiting.add_metric(["ready"], mempool.ready_count)
        waiting.add_metric(["gapped"], mempool.gapped_count)
        yield waiting
        suspended = self._application.suspended is not None
        yield GaugeMetricFamily("flux_chain_suspended", "1 while blocks cannot be written.", float(suspended))


def reason_name(number: int) -> str:
    """Of a closed lease; `other` for one that this software does not know."""
    try:
        return CloseReason(number).name.lower()
    except ValueError:
        return "other"
