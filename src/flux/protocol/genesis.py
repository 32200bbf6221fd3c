"""Genesis: the chain id, the parameters and who holds FLUX before the first block. A JSON file; its hash is its name.

Shares of the foundation, the exchanges and the team are fixed by the tokenomics (DESIGN §5); everything else belongs to
users and is minted later, except what a genesis file hands to named users.
"""

import json
from collections.abc import Sequence
from pathlib import PurePath

import msgspec

from flux.contracts.validators.types import FirstValidator
from flux.kernel.record import Record
from flux.primitives.address import AddressError, parse
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, U256, WEI_PER_FLUX, Address, Hash, Timestamp, Wei
from flux.primitives.types import flux as whole
from flux.protocol import chain_ids
from flux.protocol.bounds import disagreements
from flux.protocol.params import CAP, DEFAULT, USER_POOL, Params

FOUNDATION_SHARE = whole(12_760_000)
EXCHANGE_SHARE = whole(7_480_000)
TEAM_SHARE = whole(3_080_000)
NAMED_SHARES = {"foundation": FOUNDATION_SHARE, "exchange": EXCHANGE_SHARE, "team": TEAM_SHARE}
assert sum(NAMED_SHARES.values()) + USER_POOL == CAP

DEVELOPMENT_MNEMONIC = "test test test test test test test test test test test junk"
"""Public; its accounts (m/44'/60'/0'/0/0…9) exist on local chains only."""
DEVELOPMENT_ADDRESSES = tuple(
    Address(bytes.fromhex(text))
    for text in (
        "f39fd6e51aad88f6f4ce6ab8827279cfffb92266",
        "70997970c51812dc3a010c7d01b50e0d17dc79c8",
        "3c44cdddb6a900fa2b585dd299e03d12fa4293bc",
        "90f79bf6eb2c4f870365e785982e1f101e93b906",
        "15d34aaf54267db7d7c367839aaf71a00a2c6a65",
        "9965507d1a55bcc2695c58ba16fb37d819b0a4dc",
        "976ea74026e726554db657fa54763abd0c3a0aa9",
        "14dc79964da2c08b23698b3d3cc7ca32193d9955",
        "23618e81e3f5cdf7f54c3d65f7fbc0abf5b21e8f",
        "a0ee7a142d267c1f36714e4a8f75612f20a79720",
    )
)
DEVELOPMENT_FUNDS = whole(1_000_000)


MAX_FIRST_VALIDATORS = 100
MIN_POWER = 10
"""Of a first validator."""


class GenesisError(ValueError):
    """A genesis file cannot be used; the message says what to change."""


class Allocation(Record, frozen=True):
    """FLUX that exists from the start."""

    account: Address
    amount: Wei
    label: str
    """foundation, exchange, team, or the user's name."""


class Genesis(Record, frozen=True):
    """Everything that two nodes must agree on before the first block."""

    chain_id: U64
    timestamp: Timestamp
    allocations: tuple[Allocation, ...]
    params: Params
    validators: tuple[FirstValidator, ...] = ()
    """The first set, for CometBFT; empty for a chain that one process makes (solo)."""

    def digest(self) -> Hash:
        """Identity of the genesis: keccak of its canonical JSON; it is the extraData of block 0."""
        return keccak256(encode(self).encode())


def chain_name(genesis: Genesis) -> str:
    """How validators' signatures name the chain: its number and the genesis, so that none serves on another chain.

    CometBFT takes names of at most 50 bytes.
    """
    return f"flux-{genesis.chain_id}-{genesis.digest().hex()[:24]}"


def encode(genesis: Genesis) -> str:
    """Canonical JSON of a genesis."""
    document = {
        "chain_id": genesis.chain_id,
        "timestamp": genesis.timestamp,
        "allocations": [
            {"account": "0x" + item.account.hex(), "amount": str(item.amount), "label": item.label}
            for item in genesis.allocations
        ],
        "validators": [
            {"public_key": item.public_key.hex(), "operator": "0x" + item.operator.hex(), "power": item.power}
            for item in genesis.validators
        ],
        "params": msgspec.to_builtins(genesis.params),
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def decode(text: str, source: PurePath) -> Genesis:
    """The genesis of a file's text. Raises GenesisError naming the file and what is wrong."""
    try:
        document = json.loads(text)
        allocations = tuple(
            Allocation(parse(item["account"]), Wei(U256(int(item["amount"]))), str(item["label"]))
            for item in document["allocations"]
        )
        params = msgspec.convert(document["params"], Params)
        validators = tuple(
            FirstValidator(_public_key(item["public_key"]), parse(item["operator"]), U64(int(item["power"])))
            for item in document.get("validators", [])
        )
        genesis = Genesis(
            U64(int(document["chain_id"])), Timestamp(U64(int(document["timestamp"]))), allocations, params, validators
        )
    except (KeyError, TypeError, ValueError, AddressError, msgspec.ValidationError) as error:
        raise GenesisError(f"{source} is not a genesis file: {type(error).__name__}: {error}") from error
    check(genesis)
    return genesis


def users_part(genesis: Genesis) -> Wei:
    """What the genesis hands to users; it counts against the pool that rewards are minted from."""
    return Wei(U256(sum(item.amount for item in genesis.allocations if item.label not in NAMED_SHARES)))


def check(genesis: Genesis) -> None:
    """Raise GenesisError when the genesis breaks a rule of supply or funds development keys on a public chain."""
    total = sum(item.amount for item in genesis.allocations)
    if total > genesis.params.accounts.cap or users_part(genesis) > genesis.params.rewards.pool:
        raise GenesisError("the allocations exceed the supply: lower the users' amounts")
    for label, share in NAMED_SHARES.items():
        if sum(item.amount for item in genesis.allocations if item.label == label) > share:
            raise GenesisError(f"the allocations of {label} exceed its share of {share} wei")
    check_validators(genesis.validators)
    for reason in disagreements(genesis.params):
        raise GenesisError(f"its parameters contradict themselves: {reason}")
    if genesis.chain_id != chain_ids.LOCAL:
        for item in genesis.allocations:
            if item.account in DEVELOPMENT_ADDRESSES:
                raise GenesisError(
                    f"0x{item.account.hex()} is a development account whose key everybody knows; "
                    f"only chain {chain_ids.LOCAL} may fund it"
                )


def check_validators(validators: Sequence[FirstValidator]) -> None:
    """Raise GenesisError when the first validators cannot be a validator set."""
    keys = [item.public_key for item in validators]
    if len(keys) > MAX_FIRST_VALIDATORS or len(set(keys)) != len(keys):
        raise GenesisError(f"name at most {MAX_FIRST_VALIDATORS} validators, each public key once")
    for item in validators:
        if not MIN_POWER <= item.power <= CAP // WEI_PER_FLUX:
            raise GenesisError(
                f"validator {item.public_key.hex()} has power {item.power}: give whole FLUX, at least {MIN_POWER}, so "
                "that the set can change in steps of less than a third"
            )


def _public_key(text: str) -> Hash:
    key = bytes.fromhex(text)
    if len(key) != 32:
        raise ValueError(f"a public key has 32 bytes, {text} has {len(key)}")
    return Hash(key)


def local(
    timestamp: Timestamp,
    params: Params = DEFAULT,
    extra: Sequence[Allocation] = (),
    validators: Sequence[FirstValidator] = (),
) -> Genesis:
    """A genesis for one machine: the shares, and the ten development accounts funded from the users' pool."""
    shares = (
        Allocation(Address(keccak256(b"flux local foundation")[12:]), FOUNDATION_SHARE, "foundation"),
        Allocation(Address(keccak256(b"flux local exchange")[12:]), EXCHANGE_SHARE, "exchange"),
        Allocation(Address(keccak256(b"flux local team")[12:]), TEAM_SHARE, "team"),
    )
    developers = tuple(
        Allocation(account, DEVELOPMENT_FUNDS, f"development account {index}")
        for index, account in enumerate(DEVELOPMENT_ADDRESSES)
    )
    allocations = (*shares, *developers, *extra)
    genesis = Genesis(U64(chain_ids.LOCAL), timestamp, allocations, params, tuple(validators))
    check(genesis)
    return genesis
