"""Draws and quorums."""

from hypothesis import given, settings
from hypothesis import strategies as st

from flux.contracts.nodes.types import NodeId
from flux.contracts.probes import rules
from flux.primitives.types import U32, U64, ChainTime, Hash, Seconds

seeds = st.binary(min_size=32, max_size=32).map(Hash)
nodes = st.integers(1, 200).map(lambda number: NodeId(U32(number)))


@given(seeds, nodes, st.integers(1, 200), st.integers(1, 15))
@settings(max_examples=60, deadline=None)
def test_draws_are_nodes_that_exist_and_their_number_is_bounded(
    seed: Hash, node: NodeId, highest: int, seats: int
) -> None:
    drawn = list(rules.candidates(seed, rules.FIRST, node, U32(highest), seats))
    assert all(1 <= candidate <= highest for candidate in drawn)
    assert len(drawn) <= 96 + 24 * seats
    assert drawn == list(rules.candidates(seed, rules.FIRST, node, U32(highest), seats))


@given(seeds, st.integers(8, 63))
@settings(max_examples=40, deadline=None)
def test_a_node_that_joins_only_adds_itself_to_the_draws(seed: Hash, highest: int) -> None:
    node = NodeId(U32(1))
    before = list(rules.candidates(seed, rules.FIRST, node, U32(highest), 5))
    after = list(rules.candidates(seed, rules.FIRST, node, U32(highest + 1), 5))
    if (highest - 1).bit_length() == highest.bit_length():
        assert [candidate for candidate in after if candidate != highest + 1] == before


def test_every_node_is_drawn_about_as_often_as_any_other() -> None:
    counts = dict.fromkeys(range(1, 11), 0)
    for number in range(400):
        seed = Hash(number.to_bytes(32, "big"))
        for candidate in list(rules.candidates(seed, rules.FIRST, NodeId(U32(1)), U32(10), 1))[:3]:
            counts[candidate] += 1
    assert max(counts.values()) < 2 * min(counts.values())


def test_the_two_committees_are_drawn_apart() -> None:
    seed, node = Hash(b"s" * 32), NodeId(U32(3))
    first = list(rules.candidates(seed, rules.FIRST, node, U32(100), 5))
    assert first != list(rules.candidates(seed, rules.SECOND, node, U32(100), 5))


def test_a_quorum_is_more_than_half() -> None:
    quorums = {members: min(votes for votes in range(9) if rules.is_quorum(votes, members)) for members in range(1, 6)}
    assert quorums == {1: 1, 2: 2, 3: 2, 4: 3, 5: 3}
    assert not rules.is_quorum(0, 0)
    assert not rules.is_quorum(5, 0)


def test_only_present_members_count() -> None:
    members = [NodeId(U32(number)) for number in (1, 2, 3)]
    assert rules.present([*members[:2], NodeId(U32(9))], members) == 2


def test_a_window_includes_its_last_second() -> None:
    def is_open(first: int, now: int) -> bool:
        return rules.is_open(ChainTime(U64(first)), ChainTime(U64(now)), Seconds(U64(10)))

    assert [is_open(100, now) for now in (100, 110, 111)] == [True, True, False]


def test_a_node_was_last_seen_before_the_first_of_two_failed_probes() -> None:
    assert rules.last_seen(ChainTime(U64(100))) == 98
    assert rules.last_seen(ChainTime(U64(1))) == 0
