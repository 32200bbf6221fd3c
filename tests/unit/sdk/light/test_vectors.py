"""What real CometBFT v0.40 nodes answered: four validators, powers changed, one removed, one stopped.

`tests/vectors/cometbft/kvstore.json` has /commit and /validators of some heights of one run with the built-in kvstore.
"""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from flux.sdk.light.encoding import header_hash, merkle_root, validators_hash
from flux.sdk.light.parse import parse_light_block, to_document
from flux.sdk.light.rules import Policy, check_block, check_signed, verify
from flux.sdk.light.types import SECOND, Flag, LightBlock

RUN: dict[str, Any] = json.loads((Path(__file__).parents[3] / "vectors" / "cometbft" / "kvstore.json").read_text())
BLOCKS = [parse_light_block(document) for document in RUN["blocks"]]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"height {block.height}")
def test_hashes_and_signatures_of_real_blocks_are_right(block: LightBlock) -> None:
    assert header_hash(block.header) == block.commit.block_id.hash
    assert validators_hash(block.validators) == block.header.validators_hash
    check_block(block, RUN["genesis"]["chain_id"])
    check_signed(block)


def test_every_later_block_is_verified_by_every_earlier_one() -> None:
    policy = Policy(trusting_period=3_600 * SECOND)
    for trusted, new in combinations(BLOCKS, 2):
        verify(trusted, new, new.header.time + SECOND, policy)


def test_the_run_has_what_makes_it_worth_testing() -> None:
    assert len({block.header.validators_hash for block in BLOCKS}) == 3
    assert any(vote.flag is not Flag.COMMIT for block in BLOCKS for vote in block.commit.signatures)
    assert BLOCKS[0].header.last_block_id.hash == b""


def test_blocks_survive_being_written() -> None:
    for block in BLOCKS:
        assert parse_light_block(json.loads(json.dumps(to_document(block)))) == block


def test_merkle_roots_are_those_of_rfc_6962() -> None:
    leaves = [b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43", bytes(range(0x50, 0x58))]
    leaves.append(bytes(range(0x60, 0x70)))
    assert merkle_root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle_root(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle_root(leaves[:3]).hex() == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
    assert merkle_root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
