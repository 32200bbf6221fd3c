"""What a consensus engine tells of a block beside its transactions: who proposed, who signed, who was caught.

It is part of the block: its encoding stands in the system transaction's data, so it is under the transactions root,
exported, imported and replayed. The solo engine has nothing to tell. Shapes follow ABCI 2.0 (FinalizeBlock).
"""

from enum import IntEnum
from typing import NamedTuple

from flux.primitives import rlp
from flux.primitives.types import U64, Address, ConsensusAddress, Hash, Height, Timestamp

_ADDRESS_SIZE = 20


class CorruptInfo(ValueError):
    """The bytes are not what `encode_info` makes."""


class CommitVote(NamedTuple):
    """A validator of the parent block, and whether the commit carries its signature."""

    validator: ConsensusAddress
    power: int
    """Whole FLUX."""
    signed: bool


class MisbehaviorKind(IntEnum):
    """ABCI's MisbehaviorType."""

    DUPLICATE_VOTE = 1
    LIGHT_CLIENT_ATTACK = 2


class Misbehavior(NamedTuple):
    """Evidence that the validators committed."""

    kind: MisbehaviorKind
    validator: ConsensusAddress
    power: int
    """Of the validator when it happened."""
    height: Height
    """Where it happened."""
    time: Timestamp
    """Header time of that height."""
    total_power: int
    """Of the whole set then."""


class ValidatorUpdate(NamedTuple):
    """A change of the validator set, for the engine."""

    public_key: Hash
    """Ed25519."""
    power: int
    """0 removes the validator."""


class ConsensusInfo(NamedTuple):
    """Everything about one block."""

    proposer: bytes
    """Consensus address of the validator that proposed; empty where there are no validators (solo)."""
    votes: tuple[CommitVote, ...]
    """One for each validator of the parent block, in the engine's order."""
    misbehavior: tuple[Misbehavior, ...]


NO_INFO = ConsensusInfo(b"", (), ())
"""Of a chain without validators."""


def encode_info(info: ConsensusInfo) -> bytes:
    """The one encoding: RLP of [proposer, votes, misbehavior]; empty for NO_INFO."""
    if info == NO_INFO:
        return b""
    votes = [[vote.validator, rlp.encode_int(vote.power), rlp.encode_int(int(vote.signed))] for vote in info.votes]
    caught = [
        [
            rlp.encode_int(item.kind),
            item.validator,
            rlp.encode_int(item.power),
            rlp.encode_int(item.height),
            rlp.encode_int(item.time),
            rlp.encode_int(item.total_power),
        ]
        for item in info.misbehavior
    ]
    return rlp.encode([info.proposer, votes, caught])


def decode_info(data: bytes) -> ConsensusInfo:
    """The info of `encode_info`. Raises CorruptInfo for everything else."""
    if not data:
        return NO_INFO
    try:
        proposer, votes, caught = _list(rlp.decode(data))
        info = ConsensusInfo(
            _address(proposer) if proposer else b"",
            tuple(_vote(*_list(item)) for item in _list(votes)),
            tuple(_misbehavior(*_list(item)) for item in _list(caught)),
        )
    except (ValueError, TypeError) as error:
        raise CorruptInfo(f"not the consensus info of a block: {error}") from error
    if info == NO_INFO:
        raise CorruptInfo("nothing to tell is encoded as no bytes")
    return info


def _vote(validator: rlp.Rlp, power: rlp.Rlp, signed: rlp.Rlp) -> CommitVote:
    flag = _number(signed)
    if flag > 1:
        raise CorruptInfo(f"a vote is signed (1) or not (0), got {flag}")
    return CommitVote(_address(validator), _number(power), flag == 1)


def _misbehavior(
    kind: rlp.Rlp, validator: rlp.Rlp, power: rlp.Rlp, height: rlp.Rlp, time: rlp.Rlp, total: rlp.Rlp
) -> Misbehavior:
    return Misbehavior(
        MisbehaviorKind(_number(kind)),
        _address(validator),
        _number(power),
        Height(U64(_number(height))),
        Timestamp(U64(_number(time))),
        _number(total),
    )


def _list(item: rlp.Rlp) -> list[rlp.Rlp]:
    if isinstance(item, bytes):
        raise CorruptInfo("a list was expected")
    return item


def _address(item: rlp.Rlp) -> ConsensusAddress:
    if not isinstance(item, bytes) or len(item) != _ADDRESS_SIZE:
        raise CorruptInfo(f"a consensus address has {_ADDRESS_SIZE} bytes")
    return ConsensusAddress(Address(item))


def _number(item: rlp.Rlp) -> int:
    if not isinstance(item, bytes) or len(item) > 8:
        raise CorruptInfo("an integer of at most 64 bits was expected")
    return rlp.decode_int(item)
