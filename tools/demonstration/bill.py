"""What a tenant paid, recomputed from the events on chain, and whether every wei is accounted for."""

from dataclasses import dataclass

from flux.contracts import addresses
from flux.contracts.apps.types import AppId
from flux.contracts.escrow.types import Deposited, HostPaid, Refunded
from flux.contracts.nodes.types import NodeId
from flux.primitives.hexadecimal import to_hex
from flux.primitives.types import U256, Address, Wei
from flux.protocol.genesis import Genesis
from flux.sdk.bindings.accounts import Accounts
from flux.sdk.bindings.escrow import Escrow
from flux.sdk.client import FluxClient
from tools.demonstration.history import history


@dataclass(frozen=True, slots=True)
class Bill:
    """The account of one app, from its events."""

    deposited: Wei
    paid: dict[NodeId, Wei]
    """To each node's operator, fee excluded."""
    fee: Wei
    refunded: Wei
    seconds: dict[NodeId, int]
    """Seconds of service paid for."""

    @property
    def spent(self) -> Wei:
        """Everything that left the account for service."""
        return Wei(U256(sum(self.paid.values()) + self.fee))


async def read_bill(client: FluxClient, app: AppId) -> Bill:
    """Add up the escrow's events of an app."""
    deposited = refunded = fee = 0
    paid: dict[NodeId, Wei] = {}
    seconds: dict[NodeId, int] = {}
    for _, event in await history(client, addresses.ESCROW, app):
        match event:
            case Deposited():
                deposited += event.amount
            case Refunded():
                refunded += event.amount
            case HostPaid():
                fee += event.fee
                paid[event.node] = Wei(U256(paid.get(event.node, 0) + event.amount))
                seconds[event.node] = seconds.get(event.node, 0) + event.seconds
    return Bill(Wei(U256(deposited)), paid, Wei(U256(fee)), Wei(U256(refunded)), seconds)


async def check_supply(client: FluxClient, genesis: Genesis, others: tuple[Address, ...]) -> tuple[Wei, Wei]:
    """(held, minted − burned) at one block: the balances of every account that can hold FLUX here, and the counters."""
    head = (await client.head()).number
    block = hex(head)
    contracts = tuple(value for name, value in vars(addresses).items() if name.isupper())
    accounts = {item.account for item in genesis.allocations} | set(contracts) | set(others)
    held = 0
    for account in sorted(accounts):
        held += int(await client.transport.request("eth_getBalance", to_hex(account), block), 16)
    supply = await Accounts(client).supply(block=block)
    return Wei(U256(held)), Wei(U256(supply.minted - supply.burned))


async def earned(client: FluxClient, node: NodeId) -> Wei:
    """What tenants have paid for a node so far."""
    return await Escrow(client).earned(node)
