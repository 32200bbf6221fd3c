"""Ethereum's Merkle-Patricia trie (Yellow Paper, appendix D) as pure functions over nodes stored by their path.

`update` applies a batch of changes and says which nodes to write; `prove` makes the proofs of eth_getProof (EIP-1186),
which primitives verify; `ordered_root` is the root over a list (transactions, receipts). Node formats are in nodes.

A path is the nibbles from the root to a node, one a byte (values 0 to 15), the root's being empty. Paths sort as keys
do, so neighbours in the trie are neighbours in the database, and a new version of a node replaces the old one.
"""

from flux.chain.trie.nodes import Reader, TrieError
from flux.chain.trie.ordered import ordered_root
from flux.chain.trie.proof import prove
from flux.chain.trie.update import TrieUpdate, update
from flux.primitives.trie_proof import EMPTY_ROOT, ProofError, verify_proof

__all__ = [
    "EMPTY_ROOT",
    "ProofError",
    "Reader",
    "TrieError",
    "TrieUpdate",
    "ordered_root",
    "prove",
    "update",
    "verify_proof",
]
