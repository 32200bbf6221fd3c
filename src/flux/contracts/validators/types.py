"""Validators: who takes part in consensus, with which key, and for which node."""

from flux.contracts.nodes.types import NodeId
from flux.kernel.record import Record
from flux.primitives.types import U64, Address, Hash


class FirstValidator(Record, frozen=True):
    """A validator that a genesis file names; it has no node behind it yet."""

    public_key: Hash
    """Ed25519."""
    operator: Address
    """Receives the tips of its blocks, and may later opt a node in with the same key."""
    power: U64
    """Whole FLUX."""


class Key(Record, frozen=True):
    """A consensus key that the protocol knows."""

    public_key: Hash
    operator: Address
    node: NodeId
    """0 for a validator of the genesis that no node has claimed."""


class Seat(Record, frozen=True):
    """A place in the validator set, as the consensus engine was told last."""

    public_key: Hash
    power: U64
