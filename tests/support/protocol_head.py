"""The contracts over the state of a chain's newest block, for those who look at it or act on it."""

from typing import Any

from flux.chain.world import ChainWorld
from flux.contracts.accounts.contract import Accounts
from flux.contracts.accounts.invariants import check_total
from flux.contracts.apps.contract import Apps
from flux.contracts.benchmarks.contract import Benchmarks
from flux.contracts.escrow.contract import Escrow
from flux.contracts.governor.contract import Governor
from flux.contracts.market.contract import Market
from flux.contracts.nodes.contract import Nodes
from flux.contracts.oracle.contract import Oracle
from flux.contracts.policy.contract import Policy
from flux.contracts.probes.contract import Probes
from flux.contracts.secrets.contract import Secrets
from flux.contracts.slashing.contract import Slashing
from flux.contracts.validators.contract import Validators
from flux.contracts.votes.contract import Votes
from flux.kernel.context import Context
from flux.kernel.contract import Contract
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.types import NO_WEI, U256, Wei
from flux.protocol import invariants
from flux.protocol.machine import ProtocolMachine


class Head:
    """The state at the head, by contract."""

    def __init__(self, world: ChainWorld, machine: ProtocolMachine, held: int) -> None:
        by_type: dict[type[Contract], Any] = {type(contract): contract for contract in machine.contracts}
        self.world = world
        self.machine = machine
        self.held = Wei(U256(held))
        self.ctx = Context(ZERO_ADDRESS, NO_WEI, world.block)
        self.accounts: Accounts = by_type[Accounts]
        self.nodes: Nodes = by_type[Nodes]
        self.apps: Apps = by_type[Apps]
        self.market: Market = by_type[Market]
        self.escrow: Escrow = by_type[Escrow]
        self.secrets: Secrets = by_type[Secrets]
        self.probes: Probes = by_type[Probes]
        self.benchmarks: Benchmarks = by_type[Benchmarks]
        self.governor: Governor = by_type[Governor]
        self.votes: Votes = by_type[Votes]
        self.policy: Policy = by_type[Policy]
        self.oracle: Oracle = by_type[Oracle]
        self.validators: Validators = by_type[Validators]
        self.slashing: Slashing = by_type[Slashing]

    def problems(self) -> list[str]:
        """Violated invariants, those of single contracts and those that need the whole state."""
        return [*invariants.check(self.machine.contracts), *check_total(self.accounts, self.held)]
