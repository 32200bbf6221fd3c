"""Pure arithmetic of the validator set: powers, their cap, bounded change, the seed.

Power is whole FLUX. Sources: CometBFT's validator updates and light client (trust level 1/3); RANDAO as in Ethereum's
beacon chain.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from flux.contracts.nodes.types import NodeId
from flux.primitives.keccak import keccak256
from flux.primitives.types import (
    U64,
    WEI_PER_FLUX,
    Address,
    ChainTime,
    ConsensusAddress,
    Hash,
    Seconds,
    Timestamp,
    Wei,
)

Powers = Mapping[ConsensusAddress, int]

CAPPED_FROM = 10
"""Validators from which on none has more than a tenth of all power; fewer cannot."""
_ADDRESS_SIZE = 20
_PROOF_DOMAIN = b"flux consensus key proof"
_REVEAL_DOMAIN = b"flux revealed preimage"
MAX_PAGE = 1_000
"""Records that one call of `validators` returns."""
MAX_FORGOTTEN = 100
"""Keys forgotten at one epoch's end; the rest waits."""


def consensus_address(public_key: Hash) -> ConsensusAddress:
    """How CometBFT names an ed25519 key: the first 20 bytes of its SHA-256."""
    return ConsensusAddress(Address(sha256(public_key).digest()[:_ADDRESS_SIZE]))


def proof_message(chain_id: int, node: NodeId, operator: Address, public_key: Hash) -> bytes:
    """What a consensus key signs to prove that its holder wants it to answer for this node of this operator."""
    return _PROOF_DOMAIN + chain_id.to_bytes(8, "big") + node.to_bytes(4, "big") + operator + public_key


def power_of(stake: Wei) -> int:
    """Whole FLUX."""
    return int(stake) // WEI_PER_FLUX


def choose(candidates: Powers, seats: int) -> dict[ConsensusAddress, int]:
    """The candidates with most power, at most `seats`, each capped to a tenth of all where there are enough.

    Equal power is ordered by address: sha-256 of a key, so nobody's choice is cheap, and it moves at most one seat.
    """
    ranked = sorted(candidates.items(), key=lambda item: (-item[1], item[0]))[:seats]
    most = cap([power for _, power in ranked])
    return {address: min(power, most) for address, power in ranked}


def cap(powers: Sequence[int]) -> int:
    """The highest power that anybody may have so that nobody exceeds a tenth of the sum; powers descend.

    With the k largest cut to c and the rest r untouched, 10·c ≤ k·c + r means c ≤ r / (10 − k). The first k at which
    the next power is within that bound is enough. k = 9 always is: c is then the sum of the others, the tenth included.
    """
    if not powers:
        return 0
    if len(powers) < CAPPED_FROM:
        return powers[0]
    rest = sum(powers)
    for cut in range(CAPPED_FROM):
        most = rest // (CAPPED_FROM - cut)
        if powers[cut] <= most:
            return most if cut else powers[0]
        rest -= powers[cut]
    raise AssertionError("the tenth power is at most the sum of the tenth and what follows")


def change_limit(total: int) -> int:
    """Power that may change in one epoch: less than a third of all, so that two thirds of a known set stay."""
    return max(0, total - 1) // 3


def step(seats: Powers, target: Powers, limit: int) -> tuple[dict[ConsensusAddress, int], int]:
    """The set as near to the target as the limit allows, and what is left of the limit.

    The sum of all differences stays within the limit. Rising powers, the largest newcomers first, get at least half of
    it: a set that only shrank would end where a third is less than one. An empty target changes nothing: the set is
    never empty. An empty set, which no engine follows (solo), becomes the target at once.
    """
    if not target or not seats:
        return dict(seats or target), limit
    gaps = {address: target.get(address, 0) - seats.get(address, 0) for address in sorted({*seats, *target})}
    falling = sorted((address for address in gaps if gaps[address] < 0), key=lambda address: address in target)
    rising = sorted((address for address in gaps if gaps[address] > 0), key=lambda address: -target[address])
    falls, rises = (sum(abs(gaps[address]) for address in group) for group in (falling, rising))
    for_falls = min(falls, max(limit // 2, limit - rises))
    after = dict(seats)
    for group, share in ((falling, for_falls), (rising, min(rises, limit - for_falls))):
        limit -= share
        for address in group:
            change = min(share, abs(gaps[address]))
            share -= change
            after[address] = after.get(address, 0) + (change if gaps[address] > 0 else -change)
    return {address: power for address, power in after.items() if power}, limit


def window_of(height: int, size: int) -> U64:
    """Missed blocks are counted in windows of so many heights."""
    return U64(height // size)


def is_too_old(time: Timestamp, now: Timestamp, age: Seconds) -> bool:
    """Whether evidence of something at header time `time` comes too late."""
    return now - time > age


def protocol_time(time: Timestamp, timestamp: Timestamp, now: ChainTime) -> ChainTime:
    """Protocol time of an earlier header, or somewhat before where a gap came since."""
    return ChainTime(U64(max(0, time - (timestamp - now))))


def mixed(value: Hash, preimage: Hash) -> Hash:
    """The mix with one more reveal. The order of reveals does not matter."""
    added = keccak256(_REVEAL_DOMAIN + preimage)
    return Hash(bytes(one ^ other for one, other in zip(value, added, strict=True)))


def revealed_seed(previous: Hash, mix: Hash, epoch: int) -> Hash:
    """The seed of an epoch from what validators revealed in the one before."""
    return keccak256(previous + mix + epoch.to_bytes(8, "big"))


def chained_seed(previous: Hash, block_seed: Hash, epoch: int) -> Hash:
    """The seed of an epoch where nobody revealed: a hash chain over blocks, which a producer can grind."""
    return keccak256(previous + block_seed + epoch.to_bytes(8, "big"))
