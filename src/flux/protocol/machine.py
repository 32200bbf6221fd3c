"""The contracts bound to one world: what the chain calls for every block and every call.

At block end, in this order: what the engine told is taken in, fees burned are counted, due work runs (bounded, each
piece in an overlay of its own), pending instances are placed. All of it is the block's system transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from flux.chain.consensus_info import NO_INFO, ConsensusInfo, ValidatorUpdate
from flux.chain.params import ChainParams
from flux.contracts.accounts.contract import Accounts
from flux.contracts.addresses import PARAMETERS
from flux.contracts.governor.contract import Governor
from flux.contracts.market.contract import Market
from flux.contracts.market.fleet_cache import FleetCache
from flux.contracts.parameters.state import ParametersState
from flux.contracts.parameters.types import Upgrade
from flux.contracts.probes.contract import Probes
from flux.contracts.rewards.contract import Rewards
from flux.contracts.validators.contract import Validators
from flux.contracts.votes.contract import Votes
from flux.kernel.context import SYSTEM_ADDRESS, Block, Context, ContractStorage, World
from flux.kernel.contract import Contract, Method
from flux.kernel.errors import Revert, UnknownMethod
from flux.kernel.events import Event, Indexed, event_codec
from flux.kernel.revert_data import encode_error
from flux.kernel.schedule import Clock, Due, Schedule
from flux.primitives.types import NO_WEI, U8, U64, Address, ConsensusAddress, Gas, Hash, Height, Timestamp, Wei
from flux.protocol.forks import active_fork
from flux.protocol.hooks import contained
from flux.protocol.params import Params

PLACEMENT = 255
"""Kind under which a failed placement is reported; contracts number their own work from 1."""
EVIDENCE = 254
"""Kind under which evidence that could not be punished is reported."""
VOTES = 253
"""Kind under which votes that could not be counted are reported."""


class ScheduledWorkFailed(Event, frozen=True):
    """A piece of the protocol's own work reverted and was dropped; the chain went on."""

    contract: Indexed[Address]
    kind: Indexed[U8]
    subject: Indexed[U64]
    error: bytes


@dataclass(frozen=True, slots=True)
class Settings:
    """What one state's changes by governance make of the genesis' parameters."""

    digest: Hash
    """Identity of the changes."""
    params: Params
    upgrades: Sequence[Upgrade]
    fleets: FleetCache
    """Of its own, because fleets count slots by a parameter."""


@dataclass(frozen=True, slots=True)
class ContractSet:
    """The contracts of the protocol under one state's settings, and those that others need by name."""

    settings: Settings
    all: Sequence[Contract]
    accounts: Accounts
    market: Market
    probes: Probes
    validators: Validators
    rewards: Rewards
    votes: Votes
    governor: Governor


class ProtocolMachine:
    """Implements `chain.ports.Machine` over the assembled contracts."""

    def __init__(self, world: World, bind: Callable[[World], ContractSet]) -> None:
        """`bind` builds the contracts over a world under the parameters of its state."""
        self._world = world
        self._bind = bind
        self._parameters = ParametersState(ContractStorage(world, PARAMETERS))
        self._fork = 0
        self._rebind()
        system = ContractStorage(world, SYSTEM_ADDRESS)
        self._schedule = Schedule(system)
        self._clock = Clock(system)

    def chain_params(self) -> ChainParams:
        """The chain's parameters as the world's state sets them."""
        return self._current().settings.params.chain

    def all_params(self) -> Params:
        """Every parameter as the world's state sets it."""
        return self._current().settings.params

    @property
    def contracts(self) -> Sequence[Contract]:
        """All contracts, in the order of their addresses."""
        return tuple(self._contracts.values())

    def begin_block(
        self, parent_timestamp: Timestamp, height: Height, timestamp: Timestamp, seed: Hash, producer: Address
    ) -> Block:
        """Enter a block: what governance changed applies, protocol time advances by the gap rule.

        Raises UpgradeRequired.
        """
        settings = self._current().settings
        now = self._clock.advance(parent_timestamp, timestamp, settings.params.chain.gap_limit)
        self._fork = active_fork(settings.upgrades, now)
        return Block(height, timestamp, now, seed, producer)

    def contract_names(self) -> dict[Address, str]:
        """Names by address, for eth_getCode and for people."""
        return {address: contract.name for address, contract in self._contracts.items()}

    def method_gas(self, target: Address, data: bytes) -> Gas:
        """Declared gas of the method that the call data names; 0 when there is none."""
        method = self._find(target, data)
        return Gas(U64(0 if method is None else method.declaration.gas))

    def is_lane_call(self, target: Address, data: bytes) -> bool:
        """Whether the call may use the protocol lane."""
        method = self._find(target, data)
        return method is not None and method.declaration.lane

    def call(self, context: Context, target: Address, data: bytes) -> bytes:
        """Run one call. Raises Revert."""
        if self._find(target, data) is None:
            raise UnknownMethod(data[:4])
        return self._contracts[target].call(context, data)

    def end_block(self, burned: Wei, info: ConsensusInfo) -> tuple[ValidatorUpdate, ...]:
        """What the protocol does by itself; its logs are the system transaction's."""
        context = Context(SYSTEM_ADDRESS, NO_WEI, self._world.block)
        self._observe(context, info)
        if burned:
            self._set.accounts.count_burned(context, burned)
        limit = self._set.settings.params.protocol.max_due_per_block
        for due in list(islice(self._schedule.ready(context.now), limit)):
            self._schedule.remove(due)
            contract = self._contracts[due.contract]
            self._run(due, partial(contract.run_scheduled, context, due.kind, due.subject))
        market = self._set.market
        self._run(Due(context.now, market.address, PLACEMENT, 0), partial(market.place, context))
        updates = self._set.validators.take_updates()
        return tuple(ValidatorUpdate(seat.public_key, seat.power) for seat in updates)

    def producer_of(self, proposer: ConsensusAddress) -> Address:
        """The operator of the validator; the zero address for an unknown one."""
        return self._set.validators.producer_of(proposer)

    def next_due(self) -> Timestamp | None:
        """Header time at which the earliest scheduled work is due."""
        first = self._schedule.first()
        return None if first is None else self._clock.wall(first.time)

    def _observe(self, context: Context, info: ConsensusInfo) -> None:
        """Evidence first, so that no work of this block comes between a fault and its price."""
        validators = self._set.validators
        if info == NO_INFO:
            return
        for index, item in enumerate(info.misbehavior):
            work = partial(validators.punish, context, item.validator, item.height, item.time)
            self._run(Due(context.now, validators.address, EVIDENCE, index), work)
        votes = [(vote.validator, vote.signed) for vote in info.votes]
        work = partial(validators.count_block, context, context.block.height, info.proposer, votes)
        self._run(Due(context.now, validators.address, VOTES, 0), work)

    def _current(self) -> ContractSet:
        """The contracts under the parameters of the world's state. One read, unless governance changed something."""
        if self._parameters.digest.get() != self._set.settings.digest:
            self._rebind()
        return self._set

    def _rebind(self) -> None:
        self._set = self._bind(self._world)
        self._contracts: dict[Address, Contract] = {contract.address: contract for contract in self._set.all}

    def _find(self, target: Address, data: bytes) -> Method | None:
        """The method that a call names, if its upgrade has come."""
        contract = self._contracts.get(target)
        method = None if contract is None else contract.find_method(data)
        return None if method is None or method.declaration.fork > self._fork else method

    def _run(self, due: Due, work: Callable[[], None]) -> None:
        """Run a piece of work so that neither a refusal nor a bug in it stops the chain."""
        failure: Revert | None = self._world.attempt(lambda: contained(work))
        if failure is not None:
            event = ScheduledWorkFailed(due.contract, U8(due.kind), U64(due.subject), encode_error(failure))
            self._world.emit(event_codec(ScheduledWorkFailed).encode(SYSTEM_ADDRESS, event))
