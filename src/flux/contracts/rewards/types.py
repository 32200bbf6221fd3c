"""Rewards: the emission of FLUX, who has earned which part of it, and how it is taken."""

from dataclasses import dataclass

from flux.contracts.nodes.types import NodeId, Tier
from flux.contracts.probes.types import Epoch
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U16, U32, U64, U256, Address, ChainTime, Seconds, Wei

PPM = 1_000_000
"""Full availability, in parts per million."""


class OpenEpoch(Record, frozen=True):
    """The epoch that is over and whose availability is being reported."""

    epoch: Epoch
    duration: Seconds
    """0 before the first epoch is over."""
    budget: Wei
    """What hosting nodes share of it."""
    totals: tuple[U64, ...]
    """Sum of the availability of all nodes of each tier, in parts per million."""
    nodes: tuple[U64, ...]
    """How many nodes of each tier were reported on, available or not."""


class Rates(Record, frozen=True):
    """What an epoch pays once its availability is known, by tier."""

    wei_per_ppm: tuple[U256, ...]
    """For each millionth of availability."""
    caps: tuple[U256, ...]
    """Most that one node may get for the epoch, production included."""


class NodeRewards(Record, frozen=True):
    """What a node earned, and how it is shared."""

    epoch: Epoch
    """The newest epoch with reported availability."""
    tier: Tier
    """Its tier when that was reported."""
    availability: U32
    """Parts per million of that epoch; 0 once it is paid."""
    produced_epoch: Epoch
    produced: Wei
    """What it was paid for producing blocks of that epoch; counts against the cap."""
    barred: Epoch
    """Earns nothing for epochs before this one."""
    per_share: U256
    """Wei that a share has earned since the pool began, times 2**96."""
    remainder: U256
    """Of the last division by shares, carried to the next; wei times 2**96."""
    earned: Wei
    """In all, commission included."""


class Claim(Record, frozen=True):
    """What one account can take of a node's rewards."""

    paid: U256
    """`per_share` up to which its shares were counted."""
    owed: Wei


class Emission(Record, frozen=True):
    """The budget and what became of it."""

    pool: Wei
    """All that may ever be emitted."""
    began: ChainTime
    until: ChainTime
    """End of the last epoch that is over."""
    budget: Wei
    """What the schedule allowed up to then."""
    unearned: Wei
    """Of that, what nobody earned; it comes back at a tenth a year."""
    minted: Wei


class NodeIncome(Record, frozen=True):
    """A node's rewards as people want to see them."""

    node: NodeId
    earned: Wei
    """In all, commission included; what is reported but not settled is not in it."""
    availability_epoch: Epoch
    availability: U32
    """Parts per million, in the newest epoch that was reported and not yet settled; 0 when there is none."""
    day: Wei
    """What a node of its tier with full availability got in the last epoch that was settled, extended to a day."""


class RewardsParams(Record, frozen=True):
    """Governance parameters of rewards."""

    pool: Wei
    """What belongs to users; what the genesis gave to some of them is taken off."""
    producers: U16
    """Ten-thousandths of the budget that go to those who produce blocks."""
    weights: tuple[U16, ...]
    """How the hosts' part is divided among the tiers: Cumulus, Nimbus, Stratus."""
    max_yearly: U16
    """Ten-thousandths of its tier's stake that a node may earn in a year."""
    epochs_kept: U32
    """An epoch's rates are kept for this many; what is not settled by then is not paid."""


class EpochFunded(Event, frozen=True):
    """An epoch is over: this is what it may pay."""

    epoch: Indexed[Epoch]
    producers: Wei
    hosts: Wei


class EpochSettled(Event, frozen=True):
    """The availability of an epoch is known."""

    epoch: Indexed[Epoch]
    rates: tuple[U256, ...]
    unearned: Wei
    """What of its budget goes back."""


class NodeRewarded(Event, frozen=True):
    """FLUX was minted for a node."""

    node: Indexed[NodeId]
    epoch: Indexed[Epoch]
    amount: Wei
    commission: Wei


class RewardsClaimed(Event, frozen=True):
    """An account took its rewards."""

    node: Indexed[NodeId]
    account: Indexed[Address]
    amount: Wei
    compounded: bool
    """Bonded to the node instead of paid out."""


@dataclass(eq=False)
class NothingToClaim(Revert):
    """{account} has no rewards of node {node} to take yet."""

    node: NodeId
    account: Address
