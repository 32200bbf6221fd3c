"""Counting: who signed, who missed, who proposed. One stored value, because every block changes all of it."""

from collections.abc import Sequence

from flux.contracts.probes.types import Epoch
from flux.contracts.validators import rules
from flux.contracts.validators.state import ValidatorsState
from flux.contracts.validators.types import Count, EpochWork, ProducerWork, Tally, ValidatorsParams
from flux.primitives.types import U32, U64, Address, ConsensusAddress, Height

_NONE = U32(0)


def count_block(tally: Tally, window: U64, proposer: bytes, votes: Sequence[tuple[ConsensusAddress, bool]]) -> Tally:
    """The tally after one more block; a new window forgets what was missed in the last."""
    counts = {item.consensus: item for item in tally.counts}
    if window != tally.window:
        counts = {address: item.but(missed=_NONE) for address, item in counts.items()}
    for address, signed in votes:
        item = counts.get(address) or Count(address, _NONE, _NONE, _NONE)
        if signed:
            counts[address] = item.but(signed=U32(item.signed + 1))
        else:
            counts[address] = item.but(missed=U32(item.missed + 1))
    if proposer:
        author = ConsensusAddress(Address(proposer))
        item = counts.get(author) or Count(author, _NONE, _NONE, _NONE)
        counts[author] = item.but(proposed=U32(item.proposed + 1))
    return Tally(window, tuple(counts[address] for address in sorted(counts)))


def missed_too_often(tally: Tally, params: ValidatorsParams) -> list[ConsensusAddress]:
    """Keys above what is forgiven in one window."""
    return [item.consensus for item in tally.counts if item.missed > params.max_missed]


def forgive(tally: Tally, address: ConsensusAddress) -> Tally:
    """The tally without what one key missed."""
    counts = (item.but(missed=_NONE) if item.consensus == address else item for item in tally.counts)
    return tally.but(counts=tuple(counts))


def close_epoch(state: ValidatorsState, epoch: Epoch, kept: int) -> None:
    """Keep the epoch's work for those who share out rewards; begin anew."""
    tally = state.tally.get()
    work = []
    for item in tally.counts:
        key = state.keys.find(item.consensus)
        if key is None or not (item.signed or item.proposed):
            continue
        validator = state.validators.find(key.node)
        revealed = validator is not None and validator.revealed_next == epoch + 1
        work.append(ProducerWork(key.node, key.operator, item.signed, item.proposed, revealed))
    state.work.set(epoch, EpochWork(tuple(work)))
    if epoch >= kept:
        state.work.delete(Epoch(U64(epoch - kept)))
    seated = [item.but(signed=_NONE, proposed=_NONE) for item in tally.counts if item.consensus in state.seats]
    state.tally.set(tally.but(counts=tuple(seated)))


def window_now(height: Height, params: ValidatorsParams) -> U64:
    """The window that a height lies in."""
    return rules.window_of(height, params.missed_window)
