"""The folder of one chain node: its genesis, its data, and where it takes part in consensus, what CometBFT needs."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from flux.consensus.cometbft.config import NodeSettings, check_settings
from flux.consensus.cometbft.errors import BadHome
from flux.consensus.cometbft.keys import NodeKeys, ensure_keys
from flux.contracts.validators.types import FirstValidator
from flux.durable import write_whole
from flux.primitives.types import U64, U256, Address, Timestamp, Wei
from flux.protocol import genesis as genesis_file
from flux.protocol.genesis import Allocation, Genesis, GenesisError
from flux.protocol.params import Params, minimal

GENESIS_FILE = "genesis.json"
DATA_FOLDER = "data"


@dataclass(frozen=True, slots=True)
class ChainHome:
    """Where things lie in it."""

    path: Path

    @property
    def genesis(self) -> Path:
        return self.path / GENESIS_FILE

    @property
    def data(self) -> Path:
        """The application's database."""
        return self.path / DATA_FOLDER

    @property
    def snapshots(self) -> Path:
        """States that others may join from."""
        return self.path / "snapshots"

    @property
    def comet(self) -> Path:
        """CometBFT's own folder: keys, configuration, its blocks."""
        return self.path / "cometbft"

    @property
    def settings(self) -> Path:
        """How the node meets others; a home without it is a chain of its own (solo)."""
        return self.path / "node.json"


def new_local_genesis(validators: Sequence[FirstValidator] = (), params: Params | None = None) -> Genesis:
    """A genesis for this machine, with fast parameters unless others are given, and funded development accounts."""
    # A wei that nobody owns makes every local chain another one, also two that begin in the same second.
    unique = Allocation(Address(os.urandom(20)), Wei(U256(1)), "name of this chain")
    return genesis_file.local(Timestamp(U64(int(time.time()))), params or minimal(), (unique,), validators)


def ensure_genesis(home: Path) -> Genesis:
    """The genesis of `home`; a local one with fast parameters is written when there is none. Raises GenesisError."""
    place = ChainHome(home)
    if place.genesis.exists():
        return genesis_file.decode(place.genesis.read_text(), place.genesis)
    if place.data.exists():
        raise GenesisError(f"{place.genesis} is missing beside existing chain data: restore it, or remove {place.data}")
    genesis = new_local_genesis()
    write_genesis(home, genesis)
    return genesis


def write_genesis(home: Path, genesis: Genesis) -> None:
    """Put a genesis into a home that has none. Raises GenesisError when it has another one."""
    place, text = ChainHome(home), genesis_file.encode(genesis)
    if place.genesis.exists():
        if place.genesis.read_text() != text:
            raise GenesisError(f"{place.genesis} is another chain's: choose another folder with --data")
        return
    _write(place.genesis, text)


def make_node(home: Path, settings: NodeSettings) -> NodeKeys:
    """Keys, made when there are none, and settings of a node that takes part in consensus. Raises BadHome."""
    check_settings(settings)
    keys = ensure_keys(ChainHome(home).comet)
    _write(ChainHome(home).settings, msgspec.json.format(msgspec.json.encode(settings), indent=1).decode() + "\n")
    return keys


def find_settings(home: Path) -> NodeSettings | None:
    """The settings of such a node; None for a home without them. Raises BadHome."""
    place = ChainHome(home).settings
    try:
        return msgspec.json.decode(place.read_bytes(), type=NodeSettings)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadHome(
            f"{place} cannot be read: {error}; correct it, or make it again with `flux chain init`"
        ) from error


def _write(path: Path, text: str) -> None:
    """All or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
