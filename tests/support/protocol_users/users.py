"""Who acts on the protocol, and how what they do becomes a signed transaction."""

import random

from flux.chain import tables
from flux.chain.world import decode_account
from flux.contracts.accounts.contract import Accounts
from flux.contracts.apps.contract import Apps
from flux.contracts.apps.types import App
from flux.contracts.benchmarks.contract import Benchmarks
from flux.contracts.escrow.contract import Escrow
from flux.contracts.governor.contract import Governor
from flux.contracts.market.contract import Market
from flux.contracts.market.types import Lease, LeaseState
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.oracle.contract import Oracle
from flux.contracts.parameters.contract import Parameters
from flux.contracts.policy.contract import Policy
from flux.contracts.probes.contract import Probes
from flux.contracts.rewards.contract import Rewards
from flux.contracts.secrets.contract import Secrets
from flux.contracts.slashing.contract import Slashing
from flux.contracts.staking.contract import Staking
from flux.contracts.validators.contract import Validators
from flux.contracts.votes.contract import Votes
from flux.kernel.contract import Contract
from flux.primitives.types import U16, U64, U256, Address, Gas, Nonce, Wei
from flux.protocol.chain_ids import LOCAL
from flux.sdk.call import Call
from flux.sdk.transaction import Draft, Fees, sign_transaction
from support.chain_lab import address, signer
from support.protocol_head import Head
from support.transactions import GWEI

OPERATORS = range(5)
TENANTS = range(20, 24)
AGENTS = range(100, 112)
CALLS: dict[tuple[type[Contract], str], Call] = {
    (contract, item.attribute): Call(
        contract.address, item.name, tuple(item.arguments.values()), item.returns, lane=item.declaration.lane
    )
    for contract in (
        Accounts,
        Apps,
        Benchmarks,
        Escrow,
        Governor,
        Market,
        Nodes,
        Oracle,
        Parameters,
        Policy,
        Probes,
        Rewards,
        Secrets,
        Slashing,
        Staking,
        Validators,
        Votes,
    )
    for item in contract.methods.values()
}


class Users:
    """Who is there at the head, and what they have; their deeds sign transactions for one block."""

    def __init__(self, head: Head, draw: random.Random) -> None:
        self.head = head
        self.draw = draw
        self.apps: list[App] = head.apps.apps(head.ctx, 1, U16(1000))[-12:]  # type: ignore[arg-type]
        self.nodes: list[Node] = head.nodes.nodes(head.ctx, 1, U16(1000))  # type: ignore[arg-type]
        self.leases: list[Lease] = [
            lease
            for app in self.apps
            for lease in head.market.leases_of_app(head.ctx, app.id)
            if lease.state is not LeaseState.CLOSED
        ]
        self.agents = {address(number): number for number in AGENTS}
        self.owners = {address(number): number for number in TENANTS}
        self.operators = {address(number): number for number in OPERATORS}
        self.nonces: dict[int, int] = {}

    def closed(self, app: App) -> list[Lease]:
        """Closed leases of an app that are kept."""
        leases: list[Lease] = self.head.market.leases_of_app(self.head.ctx, app.id)
        return [lease for lease in leases if lease.state is LeaseState.CLOSED]

    def own(self, contract: type[Contract], method: str, *arguments: object, value: int = 0) -> list[bytes]:
        """A call by the owner of some app."""
        if not self.apps:
            return []
        app = self.draw.choice(self.apps)
        return [self.call(self.owners[app.owner], contract, method, app.id, *arguments, value=value)]

    def of_node(self, node: NodeId, contract: type[Contract], method: str, *arguments: object) -> list[bytes]:
        """A call by the agent of a node."""
        record = self.head.nodes.find(node)
        return [] if record is None else [self.call(self.agents[record.agent], contract, method, *arguments)]

    def call(self, account: int, contract: type[Contract], method: str, *arguments: object, value: int = 0) -> bytes:
        """A signed call; reports of agents offer no fee."""
        call = CALLS[contract, method]
        fee = 0 if call.lane else 20 * GWEI
        sender = address(account)
        nonce = self.nonces.get(account, decode_account(self.head.world.base.get(tables.ACCOUNT + sender))[0])
        self.nonces[account] = nonce + 1
        draft = Draft(
            chain_id=U64(LOCAL),
            nonce=Nonce(U64(nonce)),
            to=Address(call.contract),
            value=Wei(U256(value)),
            data=call.encode(*arguments),
            gas_limit=Gas(U64(4_000_000)),
            fees=Fees(max_fee=Wei(U256(fee)), max_priority_fee=Wei(U256(min(fee, GWEI)))),
        )
        return sign_transaction(draft, signer(account)).raw
