"""Random users of the real protocol, as signed transactions: operators, agents honest and lying, tenants, strangers.

What they do follows from the state and a seed alone, so the same seed plays the same chain.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flux.chain import tables
from flux.chain.application import Application
from flux.chain.consensus_info import ConsensusInfo, ValidatorUpdate
from flux.chain.ports import Genesis as ChainGenesis
from flux.chain.world import ChainWorld, decode_account
from flux.contracts.oracle.contract import Oracle
from flux.kernel.context import GOVERNANCE_ADDRESS, SYSTEM_ADDRESS, Block, Context, ContractStorage, World
from flux.kernel.schedule import Clock
from flux.primitives.types import NO_WEI, U16, U32, U64, U256, WEI_PER_FLUX, ChainTime, Wei
from flux.protocol.chain_ids import LOCAL
from flux.protocol.genesis import Allocation, Genesis
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.params import Params, minimal
from flux.protocol.registry import ProtocolFactory
from support.chain_lab import START, address
from support.protocol_head import Head
from support.protocol_users.deeds import act
from support.protocol_users.users import OPERATORS, TENANTS, Users
from support.protocol_users.validators import FOUNDERS, founded_engine, random_info

TIGHT = minimal()
TIGHT = TIGHT.but(
    market=TIGHT.market.but(
        max_placements_per_block=U32(3), closed_leases_kept=U16(4), max_leases_per_node=U16(5), max_exclusions=U16(3)
    ),
    benchmarks=TIGHT.benchmarks.but(kilometres_per_second=U32(200_000), recovery_epochs=U16(1)),
    slashing=TIGHT.slashing.but(strikes=U16(1)),
    escrow=TIGHT.escrow.but(min_deposit=Wei(U256(10**9))),
    governor=TIGHT.governor.but(
        proposal_threshold=Wei(U256(WEI_PER_FLUX)), deposit=Wei(U256(WEI_PER_FLUX)), min_quorum=Wei(U256(WEI_PER_FLUX))
    ),
    validators=TIGHT.validators.but(
        missed_window=U32(30), max_missed=U32(5), max_validators=U16(6), epochs_kept=U16(2)
    ),
)
"""Bounds so low that random users meet them."""


class ProtocolScenario:
    """The protocol with tight bounds and a dozen machines."""

    def __init__(self, params: Params = TIGHT) -> None:
        self.protocol = params
        self.params = params.chain
        self.machine = ProtocolFactory(params)
        """Shared, so that invariants see the fleets that placement keeps in step."""
        self.engine = founded_engine()

    def genesis(self) -> ChainGenesis:
        holders = [address(number) for number in (*OPERATORS, *TENANTS)]
        amount = Wei(U256(20_000 * WEI_PER_FLUX))
        allocations = tuple(Allocation(holder, amount, "user") for holder in holders)
        genesis = Genesis(U64(LOCAL), U64(START), allocations, self.protocol, FOUNDERS)  # type: ignore[arg-type]
        made = chain_genesis(genesis, self.machine)
        return replace(made, apply=lambda world: self._begin(made, world))

    def _begin(self, genesis: ChainGenesis, world: World) -> None:
        """The first state, in which operators are admitted to feed the price of FLUX."""
        genesis.apply(world)
        governor = Context(GOVERNANCE_ADDRESS, NO_WEI, world.block)
        oracle = next(item for item in self.machine.contracts(world).all if isinstance(item, Oracle))
        for number in OPERATORS:
            oracle.register_feeder(governor, address(number))

    def transactions(self, application: Application, draw: random.Random) -> list[bytes]:
        with self.head(application) as head:
            users = Users(head, draw)
            return [raw for _ in range(draw.randrange(11)) for raw in act(users)]

    def tell(self, application: Application, draw: random.Random) -> ConsensusInfo:
        """What the engine says of the next block."""
        with self.head(application) as head:
            return random_info(self.engine, head, draw)

    def told(self, updates: tuple[ValidatorUpdate, ...]) -> None:
        """The engine follows; fails where CometBFT would stop."""
        self.engine.take(updates)

    @contextmanager
    def head(self, application: Application) -> Iterator[Head]:
        """The contracts over the state of the newest block."""
        with application.ledger.snapshot() as snapshot:
            world = ChainWorld(snapshot)
            header = application.ledger.head().header
            now = ChainTime(U64(header.timestamp - Clock(ContractStorage(world, SYSTEM_ADDRESS)).gaps()))
            world.block = Block(header.number, header.timestamp, now, header.seed, header.producer)
            held = sum(decode_account(value)[1] for _, value in snapshot.range(tables.ACCOUNT, b"b"))
            yield Head(world, self.machine(world), held)
