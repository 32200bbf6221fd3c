"""The prober: two failures are reported, a blind prober is silent, suspicion is answered."""

import asyncio
from collections.abc import Sequence

import msgspec

from flux.agent.probes.prober import Prober
from flux.contracts.nodes.types import Node, NodeId, NodeStatus
from flux.contracts.probes.types import Epoch, TargetCount
from flux.primitives import merkle
from flux.primitives.types import U32, U64, Hash
from support.waiting import until


def make_node(number: int) -> Node:
    ask = {"cpu": 1, "memory": 1, "disk": 1, "gpu": 1}
    hardware = {
        "cpu_milli": 1, "memory_mib": 1, "disk_mib": 1, "architecture": 1, "gpu_count": 0, "gpu_model": "",
    }  # fmt: skip
    endpoint = {
        "host": "127.0.0.1", "port": 1, "certificate": b"", "seal_key": b"", "residential": False, "static_ip": True,
    }  # fmt: skip
    return msgspec.convert(
        {
            "id": number, "operator": b"", "agent": b"", "status": NodeStatus.ACTIVE, "tier": 1,
            "endpoint": endpoint, "location": {"continent": "EU", "country": "FR", "region": ""},
            "hardware": hardware, "ask": ask, "registered_at": 0, "status_since": 0, "status_reason": "",
        },
        Node,
    )  # fmt: skip


class Net:
    """Nodes that answer or not, and what was reported of them."""

    def __init__(self, *numbers: int) -> None:
        self.nodes = [make_node(number) for number in numbers]
        self.down: set[int] = set()
        self.open: list[int] = []
        self.reports: list[tuple[str, int]] = []
        self.looks = 0
        self.now = 7
        self.past = [NodeId(U32(number)) for number in numbers]
        self.digests: list[bytes] = []

    async def targets(self) -> Sequence[Node]:
        return self.nodes

    async def suspects(self) -> Sequence[Node]:
        self.looks += 1
        return [make_node(number) for number in self.open]

    async def confirms(self, node: NodeId) -> bool:
        return True

    async def epoch(self) -> Epoch:
        return Epoch(U64(self.now))

    async def past_targets(self) -> Sequence[NodeId]:
        return self.past

    async def ping(self, node: Node, seconds: float) -> bytes | None:
        return None if node.id in self.down else b"signed by %d" % node.id

    async def availability(self, epoch: Epoch, digest: Hash, counts: list[TargetCount]) -> bool:
        self.reports += [("availability", epoch), *((f"{item.answered}/{item.asked}", item.node) for item in counts)]
        self.digests.append(digest)
        return True

    async def suspect(self, node: NodeId) -> bool:
        self.reports.append(("suspect", node))
        return True

    async def alive(self) -> bool:
        self.reports.append(("alive", 0))
        return True

    async def reached(self, node: NodeId) -> bool:
        self.reports.append(("reached", node))
        return True


async def make_prober(net: Net, node: int = 1) -> Prober:
    prober = Prober(NodeId(node), net, net, net)  # type: ignore[arg-type]
    await prober.refresh()
    return prober


async def test_two_failures_in_a_row_are_reported_once() -> None:
    net = Net(2, 3)
    prober = await make_prober(net)
    net.down = {2}
    await prober.round()
    assert net.reports == []
    for _ in range(3):
        await prober.round()
    assert net.reports == [("suspect", 2)]


async def test_a_node_that_answers_in_between_is_not_reported() -> None:
    net = Net(2, 3)
    prober = await make_prober(net)
    for down in ({2}, set(), {2}):
        net.down = down
        await prober.round()
    assert net.reports == []


async def test_a_second_outage_is_reported_again() -> None:
    net = Net(2, 3)
    prober = await make_prober(net)
    for down in ({2}, {2}, set(), {2}, {2}):
        net.down = down
        await prober.round()
    assert net.reports == [("suspect", 2), ("suspect", 2)]


async def test_when_nobody_answers_the_fault_is_taken_for_ours() -> None:
    net = Net(2, 3)
    prober = await make_prober(net)
    net.down = {2, 3}
    for _ in range(4):
        await prober.round()
    assert net.reports == []


async def test_a_suspect_says_that_it_is_alive_and_others_confirm_what_they_reach() -> None:
    net = Net(2, 3)
    prober = await make_prober(net)
    net.open = [1, 2, 3]
    net.down = {3}
    await prober.round()
    await prober.round()
    assert net.reports.count(("alive", 0)) == 1
    assert net.reports.count(("reached", 2)) == 1
    assert ("reached", 3) not in net.reports


async def test_an_epoch_that_is_over_is_reported_once_with_counts_and_a_digest_over_the_answers() -> None:
    net = Net(2, 3)
    prober = await make_prober(net)
    await prober.round()
    net.down = {3}
    await prober.round()
    net.now = 8
    await prober.refresh()
    await prober.refresh()
    assert net.reports == [("availability", 7), ("2/2", 2), ("1/2", 3)]
    leaves = [merkle.leaf(node.to_bytes(4, "big") + b"signed by %d" % node) for node in (2, 3, 2)]
    assert net.digests == [merkle.root(leaves)]


async def test_only_targets_that_the_chain_takes_reports_on_are_reported() -> None:
    net = Net(2, 3)
    prober = await make_prober(net)
    await prober.round()
    net.past, net.now = [NodeId(U32(3)), NodeId(U32(9))], 8
    await prober.refresh()
    assert net.reports == [("availability", 7), ("1/1", 3)]
    net.past, net.now = [], 9
    await prober.round()
    await prober.refresh()
    assert len(net.reports) == 2


async def test_an_epoch_that_ended_long_ago_is_not_reported() -> None:
    net = Net(2, 3)
    prober = await make_prober(net)
    await prober.round()
    net.now = 9
    await prober.refresh()
    assert net.reports == []


async def test_rounds_in_which_nobody_answers_are_not_counted_against_others() -> None:
    net = Net(2, 3)
    prober = await make_prober(net)
    net.down = {2, 3}
    await prober.round()
    net.down = set()
    await prober.round()
    net.now = 8
    await prober.refresh()
    assert net.reports == [("availability", 7), ("1/1", 2), ("1/1", 3)]


async def test_suspicions_are_looked_for_after_a_new_block_and_while_some_are_open() -> None:
    net = Net(2, 3)
    prober = await make_prober(net)
    running = asyncio.create_task(prober.run())
    try:
        await until(lambda: net.looks == 1)
        prober.heard()
        net.open = [2]
        await until(lambda: ("reached", 2) in net.reports)
        assert net.looks == 2
        await until(lambda: net.looks == 3)
    finally:
        running.cancel()
    await prober.round(look=False)
    assert net.looks == 3
