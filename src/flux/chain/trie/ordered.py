"""The root over a list: transactionsRoot, receiptsRoot (Yellow Paper, 4.3: keys are the RLP of the index)."""

from collections.abc import Sequence

from flux.chain.trie.nodes import TrieError
from flux.chain.trie.update import Batch
from flux.primitives.keccak import keccak256
from flux.primitives.rlp import encode, encode_int
from flux.primitives.trie_proof import EMPTY_ROOT
from flux.primitives.types import Hash


def ordered_root(values: Sequence[bytes]) -> Hash:
    """The trie root of `values` under their positions. None of them may be empty."""
    if not values:
        return EMPTY_ROOT
    if not all(values):
        raise TrieError("an empty value has no place in a trie")
    stored: dict[bytes, bytes] = {}
    batch = Batch(stored.get, {encode(encode_int(index)): value for index, value in enumerate(values)})
    root = batch.build(0, 0, len(values))
    return EMPTY_ROOT if root is None else keccak256(root)
