"""Genesis files: what they may hold, and that one mistake in them is named."""

from pathlib import PurePath

import pytest
from eth_account import Account

from flux.contracts.validators.rules import consensus_address
from flux.contracts.validators.types import FirstValidator
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.types import U64, U256, ConsensusAddress, Hash, Timestamp, Wei
from flux.protocol import chain_ids, genesis, invariants
from flux.protocol.genesis import Allocation, GenesisError
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.params import CAP, DEFAULT, minimal
from flux.protocol.registry import ProtocolFactory
from flux.testing.world import MemoryWorld
from flux.wallet.development import development_addresses

NOW = Timestamp(U64(1_800_000_000))
FILE = PurePath("genesis.json")


def test_a_genesis_survives_its_file() -> None:
    local = genesis.local(NOW, minimal())
    assert genesis.decode(genesis.encode(local), FILE) == local
    assert genesis.decode(genesis.encode(local), FILE).digest() == local.digest()


def test_any_change_of_a_parameter_is_another_chain() -> None:
    assert genesis.local(NOW, DEFAULT).digest() != genesis.local(NOW, minimal()).digest()


def test_the_development_accounts_are_those_of_the_known_mnemonic() -> None:
    Account.enable_unaudited_hdwallet_features()
    for index, address in enumerate(genesis.DEVELOPMENT_ADDRESSES):
        account = Account.from_mnemonic(genesis.DEVELOPMENT_MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
        assert bytes.fromhex(account.address[2:]) == address
    assert tuple(development_addresses()) == genesis.DEVELOPMENT_ADDRESSES


@pytest.mark.parametrize("chain_id", [chain_ids.MAINNET, chain_ids.TESTNET])
def test_public_chains_refuse_development_keys(chain_id: int) -> None:
    public = genesis.local(NOW).but(chain_id=U64(chain_id))
    with pytest.raises(GenesisError, match="everybody knows"):
        genesis.check(public)


def test_users_cannot_be_given_more_than_their_pool() -> None:
    greedy = Allocation(genesis.DEVELOPMENT_ADDRESSES[0], genesis.USER_POOL, "greedy")
    with pytest.raises(GenesisError, match="exceed"):
        genesis.local(NOW, extra=(greedy,))


def test_nobody_but_a_share_has_its_label() -> None:
    again = Allocation(genesis.DEVELOPMENT_ADDRESSES[0], Wei(U256(1)), "team")
    with pytest.raises(GenesisError, match="team"):
        genesis.local(NOW, extra=(again,))


def test_shares_and_pool_make_the_cap() -> None:
    assert genesis.FOUNDATION_SHARE + genesis.EXCHANGE_SHARE + genesis.TEAM_SHARE + genesis.USER_POOL == CAP
    assert CAP == 440_000_000 * 10**18


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"chain_id": "x"}', genesis.encode(genesis.local(NOW)).replace('"amount"', '"amuont"')],
)
def test_a_broken_file_is_named(text: str) -> None:
    with pytest.raises(GenesisError, match=r"genesis\.json"):
        genesis.decode(text, FILE)


def first_validators(*powers: int) -> tuple[FirstValidator, ...]:
    operator = genesis.DEVELOPMENT_ADDRESSES[1]
    return tuple(
        FirstValidator(Hash(bytes([number + 1]) * 32), operator, U64(power)) for number, power in enumerate(powers)
    )


def test_first_validators_survive_the_file_and_enter_the_state() -> None:
    validators = first_validators(100, 200)
    local = genesis.local(NOW, minimal(), validators=validators)
    assert genesis.decode(genesis.encode(local), FILE) == local
    factory = ProtocolFactory(minimal())
    chain = chain_genesis(local, factory)
    assert [(update.public_key, update.power) for update in chain.validators] == [
        (item.public_key, item.power) for item in validators
    ]
    world = MemoryWorld()
    chain.apply(world)
    machine = factory(world)
    assert machine.producer_of(consensus_address(validators[0].public_key)) == genesis.DEVELOPMENT_ADDRESSES[1]
    assert machine.producer_of(ConsensusAddress(ZERO_ADDRESS)) == ZERO_ADDRESS
    assert invariants.check(machine.contracts) == []


def test_validators_that_cannot_be_a_set_are_refused() -> None:
    with pytest.raises(GenesisError, match="at least 10"):
        genesis.local(NOW, minimal(), validators=first_validators(100, 9))
    with pytest.raises(GenesisError, match="each public key once"):
        genesis.local(NOW, minimal(), validators=first_validators(100) * 2)


def test_a_public_key_of_another_size_is_named() -> None:
    text = genesis.encode(genesis.local(NOW, minimal(), validators=first_validators(100)))
    with pytest.raises(GenesisError, match="32 bytes"):
        genesis.decode(text.replace("01" * 32, "01" * 31), FILE)


def test_stake_must_stay_longer_than_evidence_and_trust() -> None:
    params = minimal()
    for name in ("evidence_age", "trust_period"):
        slow = params.but(validators=params.validators.but(**{name: params.staking.unbonding}))
        with pytest.raises(GenesisError, match="before evidence against it"):
            genesis.local(NOW, slow)
