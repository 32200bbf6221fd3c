"""What an epoch costs the chain: 10,000 nodes, 100,000 delegations, every committee's report, every node paid."""

import time
from collections import defaultdict
from collections.abc import Callable

from bench.fleet_state import NODES, register_nodes
from bench.measurement import Goal, Measurement, Report, Section
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import MAX_TARGETS, TargetCount
from flux.contracts.staking.contract import Staking
from flux.contracts.staking.types import PartsPerMillion
from flux.kernel.context import SYSTEM_ADDRESS
from flux.primitives.keccak import keccak256
from flux.primitives.types import NO_WEI, U32, U64, Address, Hash, Timestamp
from flux.primitives.types import flux as whole
from flux.protocol.genesis import local
from flux.protocol.registry import ProtocolFactory
from flux.testing.world import START, MemoryWorld

DELEGATIONS = 100_000
EPOCHS = 3
SAMPLE = 1_000
"""Operations that a cost per operation is measured over."""
METHOD = (
    "The contracts over a state in memory, in one process, without trie and disk, in processor time: "
    f"{NODES:,} nodes of all tiers and {DELEGATIONS:,} delegations, made by the contracts' own methods; {EPOCHS} "
    "epochs, each reported on by every committee member and every node paid. The end of an epoch is the block in which "
    "the next one begins."
)


class Economy:
    """The protocol over a state in memory, with its fleet and its delegators."""

    def __init__(self) -> None:
        self.world = MemoryWorld()
        genesis = local(Timestamp(U64(START)))
        factory = ProtocolFactory(genesis.params)
        self.set = factory.contracts(self.world)
        context = self.world.context(SYSTEM_ADDRESS)
        self.set.rewards.begin(context, NO_WEI)
        self.set.probes.begin(context)
        register_nodes(genesis, factory, self.world)
        (self.nodes,) = [contract for contract in self.set.all if isinstance(contract, Nodes)]
        (self.staking,) = [contract for contract in self.set.all if isinstance(contract, Staking)]
        self.delegated = 0

    def delegate(self, until: int) -> float:
        """Make delegations until there are so many; seconds for each."""
        started, before = time.process_time(), self.delegated
        while self.delegated < until:
            holder = Address(keccak256(b"delegator %d" % self.delegated)[12:])
            node = NodeId(U32(self.delegated % NODES + 1))
            amount = whole(10)
            self.set.accounts.mint(self.world.context(SYSTEM_ADDRESS), holder, amount)
            self.world.transfer(holder, self.staking.address, amount)
            self.staking.delegate(self.world.context(holder, amount), node)
            self.delegated += 1
        return (time.process_time() - started) / (self.delegated - before)

    def end_epoch(self) -> float:
        """Let the epoch end; seconds that its last block took for it."""
        probes = self.set.probes
        ends = probes.epoch(self.world.context(SYSTEM_ADDRESS)).ends_at
        self.world.advance(ends - self.world.block.now)
        started = time.process_time()
        probes.end_epoch(self.world.context(SYSTEM_ADDRESS), probes.epoch(self.world.context(SYSTEM_ADDRESS)).epoch)
        return time.process_time() - started

    def report(self) -> float:
        """Every member reports; seconds for each report."""
        probes, context = self.set.probes, self.world.context(SYSTEM_ADDRESS)
        epoch = probes.previous_epoch(context)
        targets: dict[NodeId, list[TargetCount]] = defaultdict(list)
        for number in range(1, NODES + 1):
            node = NodeId(U32(number))
            for member in probes.committee_at(context, node, epoch.seed):
                targets[member].append(TargetCount(node, U32(3_600), U32(3_600 - number % 40)))
        started = time.process_time()
        for member, counts in targets.items():
            record = self.nodes.find(member)
            assert record is not None
            probes.report(self.world.context(record.agent), epoch.epoch, Hash(bytes(32)), counts[:MAX_TARGETS])
        return (time.process_time() - started) / len(targets)

    def settle(self) -> float:
        """Every node is paid; seconds for each."""
        return _each(NODES, lambda number: self.set.rewards.settle(self.world.context(SYSTEM_ADDRESS), _node(number)))

    def slash(self) -> float:
        """Seconds for one slash, over a sample of nodes."""
        parts = PartsPerMillion(U32(1))
        context = self.world.context(SYSTEM_ADDRESS)
        return _each(SAMPLE, lambda number: self.staking.slash(context, _node(number), parts, context.now, "measured"))


def run(report: Report) -> Section:
    """Fill, then pass some epochs."""
    report("economy: registering 10,000 nodes")
    economy = Economy()
    report("economy: delegating")
    first = economy.delegate(SAMPLE)
    economy.delegate(DELEGATIONS - SAMPLE)
    last = economy.delegate(DELEGATIONS)
    ends, reports, settles = [], [], []
    for number in range(EPOCHS):
        report(f"economy: epoch {number + 1} of {EPOCHS}")
        ends.append(economy.end_epoch())
        reports.append(economy.report())
        ends.append(economy.end_epoch())
        settles.append(economy.settle())
    milli = 1_000
    return Section(
        title="Economy",
        method=METHOD,
        measurements=(
            Measurement(
                what="end of an epoch: emission, tier rates, next committees' seed",
                unit="ms",
                values=tuple(value * milli for value in ends),
                goal=Goal(1_000, at_least=False),
            ),
            Measurement(
                what=f"paying all {NODES:,} nodes, each with its delegators (spread over an epoch)",
                unit="ms",
                values=tuple(value * NODES * milli for value in settles),
                goal=Goal(1_000, at_least=False),
            ),
            Measurement(
                what="taking in one member's report",
                unit="ms",
                values=tuple(value * milli for value in reports),
            ),
            Measurement(what="one delegation, the first thousand", unit="ms", values=(first * milli,)),
            Measurement(what=f"one delegation, beside {DELEGATIONS:,} others", unit="ms", values=(last * milli,)),
            Measurement(what="one slash of a node with ten delegators", unit="ms", values=(economy.slash() * milli,)),
        ),
    )


def _node(number: int) -> NodeId:
    return NodeId(U32(number + 1))


def _each(count: int, work: Callable[[int], object]) -> float:
    started = time.process_time()
    for number in range(count):
        work(number)
    return (time.process_time() - started) / count
