"""What operators and their agents do with machines: register, declare, run what is assigned, watch each other, lie."""

from flux.contracts.benchmarks.contract import Benchmarks
from flux.contracts.benchmarks.types import Measurement
from flux.contracts.market.contract import Market
from flux.contracts.market.types import FailReason, LeaseState, PortBinding
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import Ask, Currency, Location, NodeId
from flux.contracts.probes.contract import Probes
from flux.contracts.probes.types import MAX_TARGETS, TargetCount
from flux.primitives.types import U16, U32, U64, WEI_PER_FLUX, Hash
from support.chain_lab import address
from support.contract_lab import endpoint, hardware
from support.protocol_users.users import AGENTS, OPERATORS, Users

PLACES = [Location("EU", "FR", ""), Location("EU", "DE", ""), Location("NA", "US", "TX")]


def register(users: Users) -> list[bytes]:
    operator, agent, draw = users.draw.choice(OPERATORS), users.draw.choice(AGENTS), users.draw
    where = endpoint(f"10.0.{draw.randrange(6)}.{draw.randrange(1, 250)}")
    machine = hardware(draw.choice((2_000, 4_000)), 8_192, 300_000)
    ask = random_ask(users)
    arguments = (address(agent), where, draw.choice(PLACES), machine, ask)
    return [users.call(operator, Nodes, "register", *arguments, value=draw.choice((200, 1_000, 1_400)) * WEI_PER_FLUX)]


def activate(users: Users) -> list[bytes]:
    return [users.call(users.draw.choice(AGENTS), Nodes, "activate")]


def leave(users: Users) -> list[bytes]:
    if not users.nodes or users.draw.random() < 0.6:
        return []
    node = users.draw.choice(users.nodes)
    return [users.call(users.operators[node.operator], Nodes, "leave", node.id)]


def declare(users: Users) -> list[bytes]:
    if not users.nodes:
        return []
    node = users.draw.choice(users.nodes)
    operator = users.operators[node.operator]
    if users.draw.random() < 0.5:
        return [users.call(operator, Nodes, "set_ask", node.id, random_ask(users))]
    machine = hardware(users.draw.choice((1_000, 2_000, 8_000)), 8_192, 300_000)
    return [users.call(operator, Nodes, "set_hardware", node.id, machine)]


def see(users: Users) -> list[bytes]:
    """Members of last epoch's committees say what they saw; some lie, and some name others' targets too, or alone."""
    head, draw = users.head, users.draw
    epoch, found = head.probes.previous_epoch(head.ctx).epoch, []
    for member in draw.sample(users.nodes, min(4, len(users.nodes))):
        targets = head.probes.past_targets(head.ctx, member.id) if draw.random() < 0.9 else [member.id]
        strangers = [node.id for node in users.nodes if draw.random() < 0.3] if draw.random() < 0.3 else []
        named = sorted({*targets, *strangers})[:MAX_TARGETS]
        counts = [TargetCount(node, U32(60), U32(draw.choice((60, 60, 30, 0)))) for node in named]
        found += users.of_node(member.id, Probes, "report", epoch, Hash(draw.randbytes(32)), counts)
    return found


def confirm(users: Users) -> list[bytes]:
    assigned = [lease for lease in users.leases if lease.state is LeaseState.ASSIGNED]
    if not assigned:
        return []
    lease = users.draw.choice(assigned)
    spec = users.head.market.spec_of(lease)
    bindings = [
        PortBinding(part.name, U16(port.container), U16(20_000 + port.container), 6)  # type: ignore[arg-type]
        for part in spec.components
        for port in part.ports
    ]
    return users.of_node(lease.node, Market, "confirm", lease.id, bindings)


def fail(users: Users) -> list[bytes]:
    if not users.leases or users.draw.random() < 0.5:
        return []
    lease = users.draw.choice(users.leases)
    return users.of_node(lease.node, Market, "fail", lease.id, users.draw.choice(list(FailReason)), "it\nbroke")


def stall(users: Users) -> list[bytes]:
    """An agent says that a lease stalled or runs again, whether that can be or not."""
    stalled = [lease for lease in users.leases if lease.state is LeaseState.STALLED]
    if stalled and users.draw.random() < 0.6:
        lease = users.draw.choice(stalled)
        return users.of_node(lease.node, Market, "resume", lease.id)
    if not users.leases:
        return []
    lease = users.draw.choice(users.leases)
    return users.of_node(lease.node, Market, users.draw.choice(("stall", "stall", "resume")), lease.id)


def stop(users: Users) -> list[bytes]:
    """An agent says that nothing of a lease runs any more: of one that ended, or of one that did not."""
    ended = [(lease.id, lease.node) for app in users.apps for lease in users.closed(app)]
    if not ended or users.draw.random() < 0.2:
        ended += [(lease.id, lease.node) for lease in users.leases]
    if not ended:
        return []
    lease, node = users.draw.choice(ended)
    return users.of_node(node, Market, "stopped", lease)


def stand_by(users: Users) -> list[bytes]:
    """Agents say what images they hold: those that they should, others, or none; sometimes for an app of others."""
    found: list[bytes] = []
    for node in users.nodes:
        for duty in users.head.market.standby_duties(users.head.ctx, node.id):
            who = node.id if users.draw.random() < 0.9 else users.draw.choice(users.nodes).id
            if users.draw.random() < 0.1:
                found += users.of_node(who, Market, "let_go", duty.app)
            else:
                images = duty.images if users.draw.random() < 0.9 else Hash(bytes(32))
                found += users.of_node(who, Market, "hold", duty.app, images)
    return found


def outage(users: Users) -> list[bytes]:
    """Most of a committee loses a node."""
    if not users.nodes:
        return []
    node = users.draw.choice(users.nodes)
    members = users.head.probes.committee(users.head.ctx, node.id)[: users.draw.randrange(1, 6)]
    return [raw for member in members for raw in users.of_node(member, Probes, "suspect", node.id)]


def refute(users: Users) -> list[bytes]:
    """A suspect node and its second committee say that it is alive."""
    found: list[bytes] = []
    for node in users.head.probes.suspicions(users.head.ctx):
        found += users.of_node(node, Probes, "alive")
        for member in users.head.probes.second_committee(users.head.ctx, node)[: users.draw.randrange(9)]:
            found += users.of_node(member, Probes, "reached", node)
    return found


def lie(users: Users) -> list[bytes]:
    node = NodeId(U32(users.draw.randrange(14)))
    method = users.draw.choice(("suspect", "reached"))
    return [users.call(users.draw.choice(AGENTS), Probes, method, node)]


def drain(users: Users) -> list[bytes]:
    """An operator takes a node out of use, or back."""
    if not users.nodes:
        return []
    node = users.draw.choice(users.nodes)
    method = users.draw.choice(("drain", "undrain", "undrain"))
    return [users.call(users.operators[node.operator], Nodes, method, node.id)]


def measure(users: Users) -> list[bytes]:
    """A committee measures a node: well, too slow, or nearer than it says it is; sometimes a stranger does."""
    if not users.nodes:
        return []
    node = users.draw.choice(users.nodes)
    rates = [U32(5_000) if users.draw.random() < 0.95 else U32(0) for _ in range(5)]
    seen = Measurement(*rates, U32(users.draw.choice((1, 200_000))))  # type: ignore[call-arg]
    members = users.head.benchmarks.committee(users.head.ctx, node.id)[: users.draw.randrange(1, 6)]
    if users.draw.random() < 0.2:
        members = [users.draw.choice(users.nodes).id]
    return [raw for member in members for raw in users.of_node(member, Benchmarks, "report", node.id, seen)]


def random_ask(users: Users) -> Ask:
    """In FLUX, or in dollars to about as much at five cents."""
    cpu, memory, disk, gpu = (U64(users.draw.randrange(1, 4) * part) for part in (400_000, 200_000, 5_000, 20))
    if users.draw.random() < 0.5 and users.head.oracle.value(users.head.ctx):
        return Ask(cpu, memory, disk, gpu, Currency.USD)
    return Ask(U64(20 * cpu), U64(20 * memory), U64(20 * disk), U64(20 * gpu))
