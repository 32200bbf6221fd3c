"""Roots over lists."""

import pytest
import rlp
from trie import HexaryTrie

from flux.chain.trie import EMPTY_ROOT, TrieError, ordered_root


@pytest.mark.parametrize("count", [1, 2, 16, 127, 128, 129, 256, 300])
def test_the_root_of_a_list_is_that_of_a_trie_keyed_by_index(count: int) -> None:
    values = [bytes((number % 251 + 1,)) * (number % 90 + 1) for number in range(count)]
    reference = HexaryTrie({})
    for index, value in enumerate(values):
        reference[rlp.encode(index)] = value
    assert ordered_root(values) == reference.root_hash


def test_the_root_of_an_empty_list_is_the_empty_root() -> None:
    assert ordered_root([]) == EMPTY_ROOT


def test_an_empty_value_is_refused() -> None:
    with pytest.raises(TrieError, match="empty value"):
        ordered_root([b"a", b""])
