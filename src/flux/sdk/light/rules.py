"""When a light block is believed because an older one is: the checks of CometBFT's light-client specification.

Adjacent: the trusted header names the validators of the next. Further on: of the trusted validators' power more than a
third signed the new block, so at least one honest one did. Always: more than two thirds of the new block's own
validators signed it, and the trusted block is younger than the trusting period, during which its validators can still
be punished.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flux.sdk.light.encoding import header_hash, validators_hash, vote_sign_bytes
from flux.sdk.light.errors import (
    BadHeader,
    BadSignature,
    Expired,
    FromTheFuture,
    NotEnoughPower,
    NotEnoughTrust,
    WrongChain,
)
from flux.sdk.light.types import SECOND, Flag, LightBlock, Validator

BLOCK_PROTOCOL = 11
"""Of every CometBFT that Flux runs on."""
MAX_TOTAL_POWER = ((1 << 63) - 1) // 8


@dataclass(frozen=True, slots=True)
class Policy:
    """What a client is willing to believe. Nanoseconds."""

    trusting_period: int
    """Shorter than unbonding takes, so that who signed can still be punished."""
    max_clock_drift: int = 10 * SECOND
    """How far a header's time may be ahead of this machine's clock."""


def verify(trusted: LightBlock, new: LightBlock, now: int, policy: Policy) -> None:
    """Return when `new` may be trusted because `trusted` is. Raises a VerificationError: NotEnoughTrust when a block in
    between may help."""
    if trusted.header.time + policy.trusting_period <= now:
        raise Expired(
            f"the trusted block {trusted.height} is older than the trusting period of "
            f"{policy.trusting_period // SECOND} s; name a newer one: `flux chain trust HEIGHT HASH`"
        )
    check_block(new, trusted.header.chain_id)
    if new.height <= trusted.height:
        raise BadHeader(f"block {new.height} is not after the trusted block {trusted.height}")
    if new.header.time <= trusted.header.time:
        raise BadHeader(f"the time of block {new.height} is not after that of the trusted block {trusted.height}")
    if new.header.time >= now + policy.max_clock_drift:
        ahead = (new.header.time - now) // SECOND
        raise FromTheFuture(f"the time of block {new.height} is {ahead} s ahead of this machine's clock")
    if new.height == trusted.height + 1:
        if new.header.validators_hash != trusted.header.next_validators_hash:
            raise BadHeader(f"block {new.height} has other validators than block {trusted.height} says it will")
    else:
        _check_trusted_signed(trusted.validators, new)
    check_signed(new)


def check_block(block: LightBlock, chain_id: str) -> None:
    """Raise when a light block's parts do not belong together, or not to this chain. Says nothing of signatures."""
    header, commit = block.header, block.commit
    if header.chain_id != chain_id:
        raise WrongChain(f"the header is of chain {header.chain_id[:60]!r}, not {chain_id!r}")
    if header.version_block != BLOCK_PROTOCOL:
        raise BadHeader(f"block protocol {header.version_block} is unknown to this program")
    if commit.height != header.height or commit.block_id.hash != header_hash(header):
        raise BadHeader(f"what was signed at height {header.height} is not this header")
    if len(commit.block_id.parts_hash) != 32 or not commit.block_id.parts_total:
        raise BadHeader(f"the commit of block {header.height} names no whole block")
    if header.validators_hash != validators_hash(block.validators):
        raise BadHeader(f"the validators are not those that the header of block {header.height} names")
    if len({validator.public_key for validator in block.validators}) != len(block.validators):
        raise BadHeader("a validator is in the set twice")
    if sum(validator.power for validator in block.validators) > MAX_TOTAL_POWER:
        raise BadHeader("the validators' power is beyond what CometBFT allows")
    if len(commit.signatures) != len(block.validators):
        raise BadHeader(f"{len(block.validators)} validators, but {len(commit.signatures)} votes")


def check_signed(block: LightBlock) -> None:
    """Raise unless more than two thirds of the block's validators signed it. `check_block` comes first."""
    total = sum(validator.power for validator in block.validators)
    needed = total * 2 // 3
    signed = 0
    for validator, vote in zip(block.validators, block.commit.signatures, strict=True):
        if vote.flag is not Flag.COMMIT:
            continue
        if vote.address != validator.address:
            raise BadSignature(f"a vote stands in the place of validator {validator.address.hex()}")
        _check_signature(block, validator, vote.time, vote.signature)
        signed += validator.power
        if signed > needed:
            return
    raise NotEnoughPower(signed, needed, total)


def _check_trusted_signed(trusted: Sequence[Validator], new: LightBlock) -> None:
    """More than a third of the trusted power, wherever its votes stand in the new block."""
    by_address = {validator.address: validator for validator in trusted}
    total = sum(validator.power for validator in trusted)
    needed = total // 3
    signed = 0
    seen: set[bytes] = set()
    for vote in new.commit.signatures:
        validator = by_address.get(vote.address)
        if validator is None or vote.flag is not Flag.COMMIT:
            continue
        if vote.address in seen:
            raise BadSignature(f"validator {vote.address.hex()} votes twice in one commit")
        seen.add(vote.address)
        _check_signature(new, validator, vote.time, vote.signature)
        signed += validator.power
        if signed > needed:
            return
    raise NotEnoughTrust(
        f"of the trusted validators only {signed} of {total} power signed block {new.height}; more than {needed} is "
        "needed"
    )


def _check_signature(block: LightBlock, validator: Validator, time: int, signature: bytes) -> None:
    message = vote_sign_bytes(block.header.chain_id, block.commit, time)
    try:
        Ed25519PublicKey.from_public_bytes(validator.public_key).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise BadSignature(
            f"the signature of validator {validator.address.hex()} is not over block {block.height}"
        ) from error
