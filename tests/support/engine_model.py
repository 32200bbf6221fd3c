"""CometBFT's side of the validator set, as its specification says: updates of block H count from H + 2 on."""

from collections.abc import Collection, Sequence

from flux.chain.consensus_info import CommitVote, ConsensusInfo, Misbehavior, ValidatorUpdate
from flux.contracts.validators.rules import consensus_address
from flux.primitives.types import ConsensusAddress

Set = dict[ConsensusAddress, ValidatorUpdate]


class EngineHalted(AssertionError):
    """CometBFT would stop here."""


class EngineModel:
    """Three sets: of the last block, of this one and of the next."""

    def __init__(self, first: Sequence[ValidatorUpdate]) -> None:
        powers = {consensus_address(update.public_key): update for update in first}
        self.last: Set = {}
        self.now: Set = dict(powers)
        self.next: Set = dict(powers)
        self._turn = 0

    def info(
        self,
        absent: Collection[ConsensusAddress] = (),
        misbehavior: Sequence[Misbehavior] = (),
        proposer: ConsensusAddress | None = None,
    ) -> ConsensusInfo:
        """What it tells of the block to come; validators take turns in proposing."""
        if proposer is None:
            proposer = sorted(self.now)[self._turn % len(self.now)]
            self._turn += 1
        votes = [
            CommitVote(address, update.power, address not in absent) for address, update in sorted(self.last.items())
        ]
        return ConsensusInfo(proposer, tuple(votes), tuple(misbehavior))

    def take(self, updates: Sequence[ValidatorUpdate]) -> None:
        """The block is final. Raises EngineHalted for what CometBFT refuses."""
        after = dict(self.next)
        if len({update.public_key for update in updates}) != len(updates):
            raise EngineHalted("a key was updated twice in one block")
        before = sum(update.power for update in after.values())
        for update in updates:
            address = consensus_address(update.public_key)
            if update.power:
                after[address] = update
            elif after.pop(address, None) is None:
                raise EngineHalted(f"validator {address.hex()} was removed and is not known")
        if not after:
            raise EngineHalted("the validator set is empty")
        changed = sum(
            abs(after.get(key, _NONE).power - self.next.get(key, _NONE).power) for key in {*after, *self.next}
        )
        if 3 * changed >= before:
            raise EngineHalted(f"{changed} of {before} changed in one block: a light client could not follow")
        self.last, self.now, self.next = self.now, self.next, after


_NONE = ValidatorUpdate(b"", 0)  # type: ignore[arg-type]
