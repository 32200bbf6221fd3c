"""A chain on which 10,000 nodes are registered and active from block 0 on, and apps to deploy on it.

The nodes' state is made by the contract's own methods, so it is what 20,000 transactions would have left.
"""

import random
from collections.abc import Iterator

from bench.placement import COUNTRIES, GEO, SHAPES, ask_of
from flux.chain.ports import Genesis as ChainGenesis
from flux.contracts.apps.types import AppSpec, Component, Constraints, Http, Port, encode_spec
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import Architecture, Endpoint, Hardware, Location
from flux.kernel.context import Block, Context, World
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.keccak import keccak256
from flux.primitives.types import NO_WEI, U8, U16, U32, U64, Address, ChainTime, Height
from flux.protocol.genesis import Genesis
from flux.protocol.genesis_state import apply
from flux.protocol.registry import ProtocolFactory

NODES = 10_000
NODES_PER_OPERATOR = 3
NODES_PER_NETWORK = 4
_SEED = 1


def with_nodes(genesis: Genesis, factory: ProtocolFactory) -> ChainGenesis:
    """Block 0 of a genesis, with nodes. Its identity is the genesis file's, so that a chain process accepts it."""

    def fill(world: World) -> None:
        apply(genesis, factory, world)
        register_nodes(genesis, factory, world)

    return ChainGenesis(genesis.chain_id, genesis.timestamp, genesis.digest(), fill)


def register_nodes(genesis: Genesis, factory: ProtocolFactory, world: World) -> None:
    """Register and activate all nodes."""
    random_ = random.Random(_SEED)
    now = ChainTime(U64(genesis.timestamp))
    block = Block(Height(U64(0)), genesis.timestamp, now, genesis.digest(), ZERO_ADDRESS)
    contracts = factory.contracts(world)
    (nodes,) = [contract for contract in contracts.all if isinstance(contract, Nodes)]
    for number in range(NODES):
        cpu, memory, disk, tier = random_.choices(SHAPES, [6, 3, 1])[0]
        continent, country = random_.choice(COUNTRIES)
        stake = genesis.params.nodes.tiers[tier - 1].stake
        operator = _address(b"operator", number // NODES_PER_OPERATOR)
        agent = _address(b"agent", number)
        contracts.accounts.mint(Context(operator, NO_WEI, block), operator, stake)
        world.transfer(operator, nodes.address, stake)
        network, host = divmod(number, NODES_PER_NETWORK)
        nodes.register(
            Context(operator, stake, block),
            agent,
            Endpoint(
                f"10.{network >> 8}.{network & 255}.{host + 1}",
                U16(16127),
                keccak256(b"certificate" + agent),
                keccak256(b"seal key" + agent),
                residential=False,
                static_ip=random_.random() < 0.5,
            ),
            Location(continent, country, random_.choice(["", "north", "south"])),
            Hardware(U32(cpu), U32(memory), U32(disk), Architecture.AMD64, U8(0), ""),
            ask_of(random_.uniform(0.5, 2), random_.uniform(0.5, 2), random_.uniform(0.5, 2)),
        )
        nodes.activate(Context(agent, NO_WEI, block))


def specs() -> Iterator[bytes]:
    """Specs for ever, each with needs and constraints of its own."""
    random_ = random.Random(_SEED)
    while True:
        component = Component(
            name="web",
            image=f"registry.example/web@sha256:{random_.randbytes(32).hex()}",
            cpu_milli=random_.randrange(100, 1_001),
            memory_mib=random_.randrange(100, 2_049),
            disk_mib=random_.randrange(500, 10_001),
            ports=(Port(80),),
        )
        constraints = Constraints(geo=random_.choice(GEO), min_tier=random_.choice([1, 1, 1, 1, 2]))
        yield encode_spec(AppSpec((component,), http=Http("web", 80), constraints=constraints))


def _address(kind: bytes, number: int) -> Address:
    return Address(keccak256(b"flux bench %b %d" % (kind, number))[12:])
