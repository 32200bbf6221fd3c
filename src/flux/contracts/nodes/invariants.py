"""What must hold of nodes after every block."""

from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import NodeStatus, Tier


def check(nodes: Nodes) -> list[str]:
    """Violations as sentences."""
    violations = []
    expected_id = 0
    agents = []
    for id, node in nodes.state.nodes.items():
        expected_id += 1
        if id != expected_id or node.id != id:
            violations.append(f"node {node.id} is stored under {id} where {expected_id} comes next")
        if node.tier is Tier.NONE and node.status is NodeStatus.ACTIVE:
            violations.append(f"node {id} is active and has no tier")
        if node.status is not NodeStatus.GONE and node.tier != nodes.tier_of(node):
            violations.append(f"node {id} is in tier {node.tier.name} that its stake and hardware do not give")
        if node.status is not NodeStatus.GONE:
            agents.append((node.agent, id))
        if node.status in (NodeStatus.ACTIVE, NodeStatus.REGISTERED, NodeStatus.GONE) and node.status_reason:
            violations.append(f"node {id} is {node.status.name} and yet has a reason: {node.status_reason}")
    if expected_id != nodes.state.count.get():
        violations.append(f"{expected_id} nodes are stored but {nodes.state.count.get()} are counted")
    active = sum(node.status is NodeStatus.ACTIVE for _, node in nodes.state.nodes.items())
    if active != nodes.state.active.get():
        violations.append(f"{active} nodes are active but {nodes.state.active.get()} are counted")
    if sorted(agents) != list(nodes.state.agents.items()):
        violations.append("the index of agent keys does not name exactly the nodes that are not gone")
    if nodes.host.balance() != 0:
        violations.append(f"stake belongs to staking, and yet this contract holds {nodes.host.balance()} wei")
    return violations
