"""Events follow each other and can be checked one by one."""

import pytest

from flux.primitives.cpu_work import EVENT_BYTES, answer_hash, event, follows, run_chain

SEED = b"\x07" * 32


def test_a_chain_is_its_events_one_after_the_other() -> None:
    results = run_chain(SEED, 1, 3)
    assert len(results) == 3 * EVENT_BYTES
    assert results[:EVENT_BYTES] == event(SEED, 1, 0, SEED)
    assert results[EVENT_BYTES : 2 * EVENT_BYTES] == event(SEED, 1, 1, results[:EVENT_BYTES])


def test_every_event_of_honest_chains_follows() -> None:
    results = run_chain(SEED, 0, 2) + run_chain(SEED, 1, 2)
    assert all(follows(SEED, results, 2, position) for position in range(4))


@pytest.mark.parametrize("position", range(4))
def test_a_changed_result_does_not_follow(position: int) -> None:
    results = bytearray(run_chain(SEED, 0, 2) + run_chain(SEED, 1, 2))
    results[position * EVENT_BYTES] ^= 1
    assert not follows(SEED, bytes(results), 2, position)


def test_chains_and_seeds_differ() -> None:
    assert len({run_chain(SEED, 0, 1), run_chain(SEED, 1, 1), run_chain(b"\x08" * 32, 0, 1)}) == 3


def test_the_event_is_fixed_for_ever() -> None:
    assert event(bytes(32), 0, 0, bytes(32)).hex() == EXPECTED


def test_a_signed_answer_names_node_epoch_question_and_results() -> None:
    plain = (1, 2, SEED, 3, b"results")
    others = [(2, 2, SEED, 3, b"results"), (1, 3, SEED, 3, b"results"), (1, 2, bytes(32), 3, b"results")]
    others += [(1, 2, SEED, 4, b"results"), (1, 2, SEED, 3, b"result")]
    assert answer_hash(*plain) not in {answer_hash(*other) for other in others}


EXPECTED = "186a66e0eb7f792d7aea3005e1528a842cbf73aae9cd7e5f1651c804285e7d99"
