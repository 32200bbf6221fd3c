"""What must hold of nodes after every block."""

from flux.contracts.nodes import rules
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import NodeStatus, Tier


def check(nodes: Nodes) -> list[str]:
    """Violations as sentences."""
    violations = []
    staked = 0
    expected_id = 0
    agents = []
    for id, node in nodes.state.nodes.items():
        expected_id += 1
        staked += node.stake
        if id != expected_id or node.id != id:
            violations.append(f"node {node.id} is stored under {id} where {expected_id} comes next")
        if node.tier is Tier.NONE:
            violations.append(f"node {id} has no tier")
        elif node.status is not NodeStatus.GONE and node.tier != rules.find_tier(
            nodes.params.tiers, node.stake, node.hardware
        ):
            violations.append(f"node {id} is in tier {node.tier.name} that its stake and hardware do not give")
        if node.status is not NodeStatus.GONE:
            agents.append((node.agent, id))
        if node.status in (NodeStatus.ACTIVE, NodeStatus.REGISTERED, NodeStatus.GONE) and node.status_reason:
            violations.append(f"node {id} is {node.status.name} and yet has a reason: {node.status_reason}")
    if expected_id != nodes.state.count.get():
        violations.append(f"{expected_id} nodes are stored but {nodes.state.count.get()} are counted")
    if sorted(agents) != list(nodes.state.agents.items()):
        violations.append("the index of agent keys does not name exactly the nodes that are not gone")
    if nodes.host.balance() != staked:
        violations.append(f"the stakes sum to {staked} wei but the contract holds {nodes.host.balance()}")
    return violations
