"""What the chain needs from outside: the contracts it runs, the first state, and workers for signatures.

The chain knows no contract. `protocol` implements Machine over a World; `services` supplies threads.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Protocol

from flux.chain.consensus_info import ConsensusInfo, ValidatorUpdate
from flux.chain.params import ChainParams
from flux.chain.transaction import Transaction
from flux.chain.transaction_errors import InvalidSender
from flux.kernel.context import Block, Context, World
from flux.kernel.record import Record
from flux.primitives.types import Address, ConsensusAddress, Gas, Hash, Height, Timestamp, Wei


class Machine(Protocol):
    """The contracts, bound to one World. Must answer alike on every machine for the same state and input."""

    def chain_params(self) -> ChainParams:
        """The chain's parameters as the World's state sets them for the block that follows it."""
        ...

    def all_params(self) -> Record:
        """Every parameter that the state sets, for people to read."""
        ...

    def begin_block(
        self, parent_timestamp: Timestamp, height: Height, timestamp: Timestamp, seed: Hash, producer: Address
    ) -> Block:
        """Enter a block: parameters changed by its parent apply, the clock advances.

        What is returned is `world.block` from then on. Raises UpgradeRequired when the block needs newer software.
        """
        ...

    def contract_names(self) -> dict[Address, str]:
        """Every address that has a contract. A call to one of them is `call`; all others only receive FLUX."""
        ...

    def method_gas(self, target: Address, data: bytes) -> Gas:
        """Declared gas of the method that the call data names; 0 for an unknown one."""
        ...

    def is_lane_call(self, target: Address, data: bytes) -> bool:
        """Whether the call is a report that costs no fee when it succeeds."""
        ...

    def call(self, context: Context, target: Address, data: bytes) -> bytes:
        """Run a call; the value has already been moved. Raises kernel.errors.Revert."""
        ...

    def end_block(self, burned: Wei, info: ConsensusInfo) -> tuple[ValidatorUpdate, ...]:
        """What the engine told of the block, due work (bounded), placement, accounting of the burned base fees.

        Runs as the system transaction. Returns how the validator set changes: each key at most once, and only keys that
        the engine knows with power 0.
        """
        ...

    def producer_of(self, proposer: ConsensusAddress) -> Address:
        """Who receives the tips of a block that this validator proposes; the zero address for an unknown one."""
        ...

    def next_due(self) -> Timestamp | None:
        """Header time of the earliest scheduled work in the World's state; None when there is none."""
        ...


class UpgradeRequired(Exception):
    """The chain's next block follows rules that this software does not know; `str()` says what to install.

    Raised before anything of the block is executed: a node that went on would leave the chain.
    """


MachineFactory = Callable[[World], Machine]


@dataclass(frozen=True, slots=True)
class Genesis:
    """What block 0 is made of."""

    chain_id: int
    timestamp: Timestamp
    digest: Hash
    """Identity of the genesis file; the seed (mixHash) of block 0, so that every later hash commits to it."""
    apply: Callable[[World], None]
    """Writes the first state. Block 0 has no transactions, so logs that it emits are dropped."""
    validators: tuple[ValidatorUpdate, ...] = ()
    """The first set, for an engine that needs one; `apply` writes the same into the state."""


@dataclass(frozen=True, slots=True)
class Workers:
    """How the process that runs the chain shares its threads with it; the chain itself starts none."""

    recover: Callable[[Sequence[Transaction]], None]
    """Recover the senders of many transactions; one with a bad signature keeps `sender` None and raises nothing."""
    guard: AbstractContextManager[object]
    """Entered around everything that touches the mempool; re-entrant."""


def recover_in_turn(transactions: Sequence[Transaction]) -> None:
    """Recover one after the other, for a process without threads."""
    for transaction in transactions:
        try_recover(transaction)


def try_recover(transaction: Transaction) -> None:
    """Recover one sender; a bad signature is found again by whoever asks for the sender."""
    with suppress(InvalidSender):
        transaction.recover()


ALONE = Workers(recover=recover_in_turn, guard=nullcontext())
"""For one thread: tests, tools, import."""
