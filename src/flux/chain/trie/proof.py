"""Making proofs of what a key has under a root: the node lists of eth_getProof (EIP-1186). Their verification is in
primitives, since clients do it."""

from flux.chain.trie.nodes import Reader, is_branch, is_hash, load, split_branch, split_short
from flux.primitives.trie_proof import to_nibbles


def prove(reader: Reader, key: bytes) -> list[bytes]:
    """The stored nodes on the way to `key`, from the root on, whether or not it has a value; empty for an empty trie.

    Nodes embedded in their parents are part of these.
    """
    nibbles = to_nibbles(key)
    node = reader(b"")
    proof: list[bytes] = []
    depth = 0
    stored = True
    while node is not None:
        if stored:
            proof.append(node)
        if is_branch(node):
            if depth == len(nibbles):
                break
            item = split_branch(node)[nibbles[depth]]
            depth += 1
            if item == b"\x80":
                break
        else:
            prefix, item, leaf = split_short(node)
            if leaf or nibbles[depth : depth + len(prefix)] != prefix:
                break
            depth += len(prefix)
        stored = is_hash(item)
        node = load(reader, nibbles[:depth]) if stored else item
    return proof
