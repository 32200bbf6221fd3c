"""A node's two ed25519 keys, in the files that CometBFT reads: what it signs blocks with, and who it is to its peers.

The consensus key must sign no height twice. What it signed last stands in `priv_validator_state.json`; that file is
made with the key and never again, because a fresh one would allow a second signature for an old height.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flux.consensus.cometbft.errors import BadHome
from flux.durable import PRIVATE, write_whole
from flux.primitives.types import Address, ConsensusAddress, Hash

KEY_FILE = "config/priv_validator_key.json"
NODE_KEY_FILE = "config/node_key.json"
STATE_FILE = "data/priv_validator_state.json"
_PRIVATE, _PUBLIC = "tendermint/PrivKeyEd25519", "tendermint/PubKeyEd25519"


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """The public half of a node's keys."""

    consensus: Hash
    """Ed25519 key that blocks are signed with."""
    node_id: str
    """How peers address it: 40 hexadecimal digits."""

    @property
    def address(self) -> ConsensusAddress:
        """How commits name the validator."""
        return consensus_address(self.consensus)


def consensus_address(public_key: Hash) -> ConsensusAddress:
    """The first 20 bytes of the SHA-256 of an ed25519 key (CometBFT's crypto specification)."""
    return ConsensusAddress(Address(hashlib.sha256(public_key).digest()[:20]))


def ensure_keys(home: Path) -> NodeKeys:
    """The keys in CometBFT's home, made when there are none. Raises BadHome rather than make half of them anew."""
    key, state = home / KEY_FILE, home / STATE_FILE
    if not key.exists():
        if state.exists():
            raise BadHome(f"{key} is missing beside {state}: restore it, or remove the whole folder {home}")
        _write(key, _key_document(Ed25519PrivateKey.generate()))
        _write(state, {"height": "0", "round": 0, "step": 0})
    elif not state.exists():
        raise BadHome(
            f"{state} is missing, so the key could sign an old height twice and be slashed: restore it, or make a new "
            f"node in another folder"
        )
    if not (home / NODE_KEY_FILE).exists():
        _write(home / NODE_KEY_FILE, {"priv_key": _private(Ed25519PrivateKey.generate())})
    return read_keys(home)


def read_keys(home: Path) -> NodeKeys:
    """The public keys of a home. Raises BadHome."""
    return NodeKeys(
        Hash(_public_bytes(_read(home / KEY_FILE))),
        hashlib.sha256(_public_bytes(_read(home / NODE_KEY_FILE))).hexdigest()[:40],
    )


def _key_document(key: Ed25519PrivateKey) -> dict[str, object]:
    public = key.public_key().public_bytes_raw()
    return {
        "address": consensus_address(Hash(public)).hex().upper(),
        "pub_key": {"type": _PUBLIC, "value": base64.b64encode(public).decode()},
        "priv_key": _private(key),
    }


def _private(key: Ed25519PrivateKey) -> dict[str, str]:
    both = key.private_bytes_raw() + key.public_key().public_bytes_raw()
    return {"type": _PRIVATE, "value": base64.b64encode(both).decode()}


def _public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["priv_key"]["type"] != _PRIVATE:
            raise ValueError(f"the key is a {document['priv_key']['type']}, not ed25519")
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(document["priv_key"]["value"])[:32])
    except FileNotFoundError as error:
        raise BadHome(f"{path} is missing: make the node's keys with `flux chain init` or `flux chain join`") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadHome(f"{path} is not a key file of CometBFT: {error}; restore it from a backup") from error


def _write(path: Path, document: object) -> None:
    """Readable by this user alone, on disk before it has its name."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, json.dumps(document, indent=1).encode(), mode=PRIVATE)
