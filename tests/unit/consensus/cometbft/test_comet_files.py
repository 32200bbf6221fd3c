"""Keys, genesis and configuration as files."""

import json
import stat
import tomllib
from pathlib import Path

import pytest

from flux.consensus.cometbft.config import NodeSettings, Timing, config_text
from flux.consensus.cometbft.errors import BadHome
from flux.consensus.cometbft.genesis import MAX_BLOCK_BYTES, comet_genesis, evidence_seconds
from flux.consensus.cometbft.keys import KEY_FILE, NODE_KEY_FILE, STATE_FILE, ensure_keys, read_keys
from flux.contracts.validators.types import FirstValidator
from flux.primitives.types import U64, Timestamp
from flux.protocol.genesis import DEVELOPMENT_ADDRESSES, Genesis, chain_name, local
from flux.protocol.params import minimal

ID = "ab" * 20


def genesis(home: Path) -> Genesis:
    validator = FirstValidator(ensure_keys(home).consensus, DEVELOPMENT_ADDRESSES[0], U64(500))
    return local(Timestamp(U64(1_700_000_000)), minimal(), validators=[validator])


def test_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path)
    assert ensure_keys(tmp_path) == keys == read_keys(tmp_path)
    assert json.loads((tmp_path / KEY_FILE).read_text())["address"] == keys.address.hex().upper()
    for name in (KEY_FILE, NODE_KEY_FILE, STATE_FILE):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert ensure_keys(tmp_path / "other") != keys


def test_a_key_whose_last_signature_is_forgotten_is_not_used(tmp_path: Path) -> None:
    ensure_keys(tmp_path)
    (tmp_path / STATE_FILE).unlink()
    with pytest.raises(BadHome, match="sign an old height twice"):
        ensure_keys(tmp_path)


def test_a_lost_key_is_not_made_anew(tmp_path: Path) -> None:
    ensure_keys(tmp_path)
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(BadHome, match="restore it"):
        ensure_keys(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"priv_key": {"type": "x", "value": ""}}', "[1]", '{"priv_key": 3}'])
def test_a_damaged_key_file_is_named(tmp_path: Path, text: str) -> None:
    ensure_keys(tmp_path)
    (tmp_path / KEY_FILE).write_text(text)
    with pytest.raises(BadHome, match=KEY_FILE):
        read_keys(tmp_path)


def test_everybody_makes_the_same_engine_genesis_of_a_genesis(tmp_path: Path) -> None:
    made = genesis(tmp_path)
    document = json.loads(comet_genesis(made))
    assert comet_genesis(made) == comet_genesis(made)
    assert document["genesis_time"] == "2023-11-14T22:13:20Z"
    assert document["chain_id"] == chain_name(made)
    assert len(chain_name(made)) <= 50
    assert document["validators"][0]["power"] == "500"
    assert document["consensus_params"]["evidence"]["max_age_duration"] == str(evidence_seconds(made) * 10**9)
    assert evidence_seconds(made) < made.params.staking.unbonding
    assert int(document["consensus_params"]["block"]["max_bytes"]) == MAX_BLOCK_BYTES < 100 * 1024 * 1024


def test_another_genesis_is_another_chain_to_those_who_sign(tmp_path: Path) -> None:
    assert chain_name(genesis(tmp_path / "a")) != chain_name(genesis(tmp_path / "b"))


def test_a_genesis_without_validators_is_refused() -> None:
    with pytest.raises(BadHome, match="names no validators"):
        comet_genesis(local(Timestamp(U64(1)), minimal()))


def test_the_configuration_says_what_was_chosen() -> None:
    settings = NodeSettings(
        name='a "name"', p2p_port=1, rpc_port=2, peers=(f"{ID}@h:3", f"{ID}@[::1]:4"), timing=Timing(pause=0.25)
    )
    document = tomllib.loads(config_text(settings, 1000))
    assert document["moniker"] == 'a "name"'
    assert document["p2p"]["persistent_peers"] == f"{ID}@h:3,{ID}@[::1]:4"
    assert document["mempool"]["type"] == "app"
    assert document["mempool"]["max_tx_bytes"] == 1000
    assert document["consensus"]["timeout_commit"] == "250ms"
    assert document["rpc"]["laddr"] == "tcp://127.0.0.1:2"


@pytest.mark.parametrize(
    "settings",
    [
        NodeSettings(peers=("nobody",)),
        NodeSettings(peers=(f"{ID}@host",)),
        NodeSettings(seeds=(f"{ID}@a b:1",)),
        NodeSettings(peers=(f"{ID}@h:1\nevil = true",)),
        NodeSettings(p2p_port=0),
        NodeSettings(rpc_port=70_000),
        NodeSettings(p2p_port=5, rpc_port=5),
        NodeSettings(timing=Timing(propose=0)),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: NodeSettings) -> None:
    with pytest.raises(BadHome):
        config_text(settings, 1000)
