"""Making a node's keys and registering it: what `flux node init` and `register` do, and a local cloud for each node."""

from dataclasses import dataclass

from flux.agent.identity import NodeIdentity
from flux.contracts.nodes.types import Ask, Endpoint, Hardware, Location, Node, NodeId, NodeRegistered
from flux.primitives.types import U16, Wei
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.client import FluxClient
from flux.sdk.signer import Signer


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an operator says of a machine."""

    host: str
    port: int
    location: Location
    hardware: Hardware
    ask: Ask
    stake: Wei
    residential: bool = False
    static_ip: bool = True


def endpoint_of(identity: NodeIdentity, declaration: Declaration) -> Endpoint:
    """How the chain will record the agent's address and keys."""
    return Endpoint(
        host=declaration.host,
        port=U16(declaration.port),
        certificate=identity.certificate,
        seal_key=identity.seal_public,
        residential=declaration.residential,
        static_ip=declaration.static_ip,
    )


async def find_registered(client: FluxClient, identity: NodeIdentity) -> Node | None:
    """The chain's record of the node with these keys."""
    nodes = Nodes(client)
    number = await nodes.node_of_agent(identity.signer.address)
    return None if number == 0 else await nodes.node(number)


async def register(client: FluxClient, operator: Signer, identity: NodeIdentity, declaration: Declaration) -> NodeId:
    """Stake and register. Raises Refused with the contract's reason."""
    receipt = await Nodes(client).register(
        operator,
        identity.signer.address,
        endpoint_of(identity, declaration),
        declaration.location,
        declaration.hardware,
        declaration.ask,
        value=declaration.stake,
    )
    (event,) = [event for event in receipt.events() if isinstance(event, NodeRegistered)]
    return event.node


async def ensure_registered(
    client: FluxClient, operator: Signer, identity: NodeIdentity, declaration: Declaration
) -> NodeId:
    """The node of these keys: registered now, or before; then its endpoint is brought up to date."""
    known = await find_registered(client, identity)
    if known is None:
        return await register(client, operator, identity, declaration)
    wanted = endpoint_of(identity, declaration)
    if known.endpoint != wanted:
        await Nodes(client).set_endpoint(operator, known.id, wanted)
    return known.id
