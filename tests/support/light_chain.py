"""A CometBFT chain made up for tests: real keys, real signatures, any validators at any height, any fault on demand."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flux.chain.application import Application
from flux.primitives.types import U64, Address, Height
from flux.protocol.genesis import FirstValidator
from flux.sdk.light.encoding import header_hash, validators_hash, vote_sign_bytes
from flux.sdk.light.parse import to_document
from flux.sdk.light.rules import BLOCK_PROTOCOL
from flux.sdk.light.types import SECOND, BlockId, Commit, CommitSignature, Flag, Header, LightBlock, Validator

CHAIN = "flux-19169-test"
GENESIS_TIME = 1_700_000_000 * SECOND
Powers = dict[int, int]
"""Voting power by number of key."""


@cache
def key(number: int) -> Ed25519PrivateKey:
    """A key of its own for each number."""
    return Ed25519PrivateKey.from_private_bytes(sha256(b"validator %d" % number).digest())


@cache
def public_key(number: int) -> bytes:
    """Its public half."""
    return key(number).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def validator_set(powers: Powers) -> tuple[Validator, ...]:
    """In CometBFT's order."""
    validators = [Validator(public_key(number), power) for number, power in powers.items()]
    return tuple(sorted(validators, key=lambda item: (-item.power, item.address)))


def signed(
    header: Header, validators: Sequence[Validator], signers: Sequence[int], chain_id: str = CHAIN
) -> LightBlock:
    """A light block of a header, signed by some keys under a chain's name."""
    block_id = BlockId(header_hash(header), 1, sha256(b"parts %d" % header.height).digest())
    unsigned = Commit(header.height, 0, block_id, ())
    keys = {public_key(number): key(number) for number in signers}
    votes = []
    for place, validator in enumerate(validators):
        time = header.time + place
        if validator.public_key in keys:
            signature = keys[validator.public_key].sign(vote_sign_bytes(chain_id, unsigned, time))
            votes.append(CommitSignature(Flag.COMMIT, validator.address, time, signature))
        else:
            votes.append(CommitSignature(Flag.ABSENT, b"", 0, b""))
    return LightBlock(header, replace(unsigned, signatures=tuple(votes)), tuple(validators))


class LightChain:
    """Heights from 1 on. `powers` is the set until `change` gives another from a height on."""

    def __init__(self, powers: Powers | None = None, chain_id: str = CHAIN, interval: int = SECOND) -> None:
        self.chain_id = chain_id
        self.interval = interval
        """Nanoseconds between headers."""
        self._sets: dict[int, Powers] = {1: powers or {0: 10, 1: 10, 2: 10, 3: 10}}
        self.app_hashes: dict[int, bytes] = {}
        """By the height whose header carries it."""
        self.asked: list[int] = []

    def change(self, height: int, powers: Powers) -> None:
        """Another set from a height on."""
        self._sets[height] = powers

    def powers(self, height: int) -> Powers:
        """Who validates a height."""
        return self._sets[max(start for start in self._sets if start <= height)]

    def header(self, height: int) -> Header:
        """The header of a height."""
        filler = sha256(b"%d" % height).digest()
        return Header(
            version_block=BLOCK_PROTOCOL,
            version_app=1,
            chain_id=self.chain_id,
            height=height,
            time=GENESIS_TIME + height * self.interval,
            last_block_id=BlockId(filler, 1, filler) if height > 1 else BlockId(b"", 0, b""),
            last_commit_hash=filler,
            data_hash=filler,
            validators_hash=validators_hash(validator_set(self.powers(height))),
            next_validators_hash=validators_hash(validator_set(self.powers(height + 1))),
            consensus_hash=filler,
            app_hash=self.app_hashes.get(height, filler),
            last_results_hash=filler,
            evidence_hash=filler,
            proposer_address=validator_set(self.powers(height))[0].address,
        )

    def block(self, height: int, signers: Sequence[int] | None = None) -> LightBlock:
        """The light block of a height, signed by all of its validators or by some."""
        powers = self.powers(height)
        return signed(
            self.header(height), validator_set(powers), list(powers) if signers is None else signers, self.chain_id
        )

    async def fetch(self, height: int) -> LightBlock:
        """As `follow` asks."""
        self.asked.append(height)
        return self.block(height)


def first_validators(powers: Powers) -> tuple[FirstValidator, ...]:
    """As a genesis names them."""
    return tuple(
        FirstValidator(public_key(number), Address(number.to_bytes(20, "big")), U64(power))
        for number, power in powers.items()
    )


class LightSource:
    """Signs the blocks that an application made, as CometBFT would have; implements the RPC's LightBlocks."""

    def __init__(self, application: Application, chain: LightChain) -> None:
        self._application = application
        self.chain = chain

    def now(self) -> int:
        """Just after the newest light block."""
        return GENESIS_TIME + (self._newest() + 1) * self.chain.interval

    def light_block(self, height: int | None) -> dict[str, object]:
        """The light block after our block `height - 1`."""
        wanted = self._newest() if height is None else height
        block = self._application.ledger.find_block(Height(U64(wanted - 1)))
        if block is None:
            raise LookupError(f"there is no block {wanted} yet")
        self.chain.app_hashes[wanted] = block.hash
        return to_document(self.chain.block(wanted))

    def peers(self) -> list[dict[str, object]]:
        """One, where the client asks."""
        return [{"id": "ab" * 20, "host": None, "port": 26656}]

    def _newest(self) -> int:
        return self._application.ledger.head().number + 1
