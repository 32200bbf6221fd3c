"""Shares of a seed: a threshold of them opens it, fewer do not, and whoever has the seed makes the same again."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.nodes.types import NodeId
from flux.contracts.secrets.types import Generation, Seat, SharedSeed
from flux.primitives.types import U8, U32, U64, Hash
from flux.specs.keepers import Purpose, combine, is_right, open_share, share_out, split
from flux.specs.private_half import PrivateHalfError, new_key_pair

APP, REVISION, FIRST, SECOND = AppId(U64(4)), Revision(U32(2)), Generation(U32(1)), Generation(U32(2))
SEED = bytes(range(16))
KEYS = [new_key_pair() for _ in range(7)]
SEATS = [Seat(NodeId(U32(number)), Hash(public)) for number, (_, public) in enumerate(KEYS, 11)]
THREE = U8(3)
seeds = st.binary(min_size=16, max_size=16)


def shared(generation: Generation = FIRST, seats: Sequence[Seat] = SEATS, seed: bytes = SEED) -> SharedSeed:
    return share_out(seed, APP, REVISION, generation, THREE, seats)


def opened(sharing: SharedSeed, *indexes: int) -> dict[int, bytes]:
    """The shares of these indexes, each opened with its keeper's key."""
    return {
        index: open_share(sharing.keepers[index - 1].box, KEYS[index - 1][0], sharing, index, APP, REVISION)
        for index in indexes
    }


@given(seeds, st.integers(2, 16), st.data())
def test_the_librarys_combine_opens_any_threshold_of_our_shares(seed: bytes, threshold: int, data: Any) -> None:
    count = data.draw(st.integers(threshold, 16))
    shares = split(seed, Purpose(APP, REVISION, FIRST), threshold, count)
    chosen = data.draw(st.permutations(range(1, count + 1)))[:threshold]
    assert combine({index: shares[index - 1] for index in chosen}) == seed
    fewer = {index: shares[index - 1] for index in chosen[:-1]}
    assert combine(fewer) != seed


def test_every_three_of_seven_keepers_open_the_seed() -> None:
    sharing = shared()
    assert len({keeper.share for keeper in sharing.keepers}) == 7
    for three in combinations(range(1, 8), 3):
        assert combine(opened(sharing, *three)) == SEED


def test_shares_of_two_generations_do_not_go_together() -> None:
    first, second = opened(shared(), 1, 2, 3), opened(shared(SECOND), 1, 2, 3)
    assert not set(first.values()) & set(second.values())
    assert combine({1: first[1], 2: first[2], 3: second[3]}) != SEED


@given(seeds)
def test_the_same_seed_makes_the_same_sharing_and_another_seed_another(other: bytes) -> None:
    assert shared() == shared()
    assert is_right(shared(), SEED, APP, REVISION)
    assert is_right(shared(), other, APP, REVISION) == (other == SEED)


@pytest.mark.parametrize("part", ["share", "box", "key", "node"])
def test_a_sharing_altered_anywhere_but_in_who_keeps_is_not_right(part: str) -> None:
    sharing = shared()
    altered = sharing.keepers[1].but(**{part: getattr(sharing.keepers[2], part)})
    keepers = (sharing.keepers[0], altered, *sharing.keepers[2:])
    # Who keeps a share is the chain's draw; the seed says nothing about it.
    assert is_right(sharing.but(keepers=keepers), SEED, APP, REVISION) == (part == "node")


def test_a_sharing_of_another_app_or_revision_is_not_right() -> None:
    assert not is_right(shared(), SEED, AppId(U64(5)), REVISION)
    assert not is_right(shared(), SEED, APP, Revision(U32(3)))


def test_a_keeper_opens_its_own_share_only_and_a_wrong_one_is_recognised() -> None:
    sharing = shared()
    with pytest.raises(PrivateHalfError, match="another key"):
        open_share(sharing.keepers[1].box, KEYS[0][0], sharing, 1, APP, REVISION)
    with pytest.raises(PrivateHalfError, match="not the one"):
        open_share(sharing.keepers[1].box, KEYS[1][0], sharing, 1, APP, REVISION)


def test_no_share_or_seed_can_be_read_from_what_is_on_chain() -> None:
    sharing = shared()
    text = msgspec.json.encode([[keeper.box.hex(), keeper.share.hex()] for keeper in sharing.keepers])
    for secret in (SEED, *opened(sharing, *range(1, 8)).values()):
        assert secret.hex().encode() not in text


def test_a_keeper_with_an_unusable_key_keeps_nobody_else_from_their_share() -> None:
    sharing = shared(seats=[Seat(NodeId(U32(1)), Hash(bytes(32))), *SEATS[1:]])
    assert sharing.keepers[0].box == bytes(64)
    assert is_right(sharing, SEED, APP, REVISION)
    assert combine(opened(sharing, 2, 4, 6)) == SEED


def test_a_seed_of_another_size_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        shared(seed=b"short")
