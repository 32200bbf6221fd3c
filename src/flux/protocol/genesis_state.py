"""From a genesis to the first state: every allocation is minted, so that it counts against the cap."""

from flux.chain.consensus_info import ValidatorUpdate
from flux.chain.ports import Genesis as ChainGenesis
from flux.kernel.context import SYSTEM_ADDRESS, Block, Context, World
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.types import NO_WEI, U64, ChainTime, Height
from flux.protocol.genesis import Genesis, users_part
from flux.protocol.registry import ProtocolFactory


def chain_genesis(genesis: Genesis, factory: ProtocolFactory) -> ChainGenesis:
    """What the chain makes block 0 of."""
    return ChainGenesis(
        chain_id=genesis.chain_id,
        timestamp=genesis.timestamp,
        digest=genesis.digest(),
        apply=lambda world: apply(genesis, factory, world),
        validators=tuple(ValidatorUpdate(first.public_key, first.power) for first in genesis.validators),
    )


def apply(genesis: Genesis, factory: ProtocolFactory, world: World) -> None:
    """Write the first state."""
    now = ChainTime(U64(genesis.timestamp))
    block = Block(Height(U64(0)), genesis.timestamp, now, genesis.digest(), ZERO_ADDRESS)
    context = Context(SYSTEM_ADDRESS, NO_WEI, block)
    contracts = factory.contracts(world)
    for allocation in genesis.allocations:
        contracts.accounts.mint(context, allocation.account, allocation.amount)
    contracts.validators.begin(context, genesis.chain_id, genesis.validators)
    contracts.rewards.begin(context, users_part(genesis))
    contracts.probes.begin(context)
    contracts.votes.begin(context, genesis.chain_id)
    contracts.governor.begin(context, genesis.chain_id)
