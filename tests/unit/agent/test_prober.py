"""The prober: two failures are reported, a blind prober is silent, suspicion is answered."""

from collections.abc import Sequence

import msgspec

from flux.agent.probes.prober import Prober
from flux.contracts.nodes.types import Node, NodeId, NodeStatus


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

    async def targets(self) -> Sequence[Node]:
        return self.nodes

    async def suspects(self) -> Sequence[Node]:
        return [make_node(number) for number in self.open]

    async def confirms(self, node: NodeId) -> bool:
        return True

    async def ping(self, node: Node, seconds: float) -> bool:
        return node.id not in self.down

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
    prober.watch(await net.targets())
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
