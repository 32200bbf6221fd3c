"""Several validators on one machine: a folder for each with keys and settings that name the others, and one genesis."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flux.consensus.cometbft.config import NodeSettings, Timing
from flux.contracts.validators.types import FirstValidator
from flux.primitives.types import U64, Hash
from flux.protocol import genesis as genesis_file
from flux.protocol.genesis import DEVELOPMENT_ADDRESSES, Genesis
from flux.services.chain_home import ChainHome, make_node, new_local_genesis, write_genesis

_POWER = U64(1_000)
_TIMING = Timing()


@dataclass(frozen=True, slots=True)
class ValidatorPlace:
    """Where one of them lives."""

    home: Path
    """A ChainHome."""
    p2p_port: int
    comet_port: int
    host: str = "127.0.0.1"
    """Where the others reach it."""


def make_validators(
    places: Sequence[ValidatorPlace], *, genesis: Genesis | None = None, timing: Timing = _TIMING
) -> Genesis:
    """Make what is missing of a network in which everybody knows everybody; what is there stays as it is.

    A new chain begins with all of them as validators of equal power, unless `genesis` is given or was made before; then
    its validators must be these. The last development accounts operate them.
    """
    keys = [make_node(place.home, _settings(number, place, (), timing)) for number, place in enumerate(places)]
    addresses = [f"{key.node_id}@{place.host}:{place.p2p_port}" for key, place in zip(keys, places, strict=True)]
    for number, place in enumerate(places):
        others = tuple(address for other, address in enumerate(addresses) if other != number)
        make_node(place.home, _settings(number, place, others, timing))
    known = ChainHome(places[0].home).genesis
    if genesis is None and known.exists():
        genesis = genesis_file.decode(known.read_text(encoding="utf-8"), known)
    if genesis is None:
        genesis = new_local_genesis(first_validators([key.consensus for key in keys]))
    for place in places:
        write_genesis(place.home, genesis)
    return genesis


def first_validators(public_keys: Sequence[bytes]) -> list[FirstValidator]:
    """Validators of equal power, run by development accounts from the last one on."""
    count = len(DEVELOPMENT_ADDRESSES)
    return [
        FirstValidator(Hash(key), DEVELOPMENT_ADDRESSES[(count - 1 - index) % count], _POWER)
        for index, key in enumerate(public_keys)
    ]


def _settings(number: int, place: ValidatorPlace, peers: tuple[str, ...], timing: Timing) -> NodeSettings:
    return NodeSettings(
        name=f"validator-{number + 1}",
        p2p_host=place.host,
        p2p_port=place.p2p_port,
        rpc_port=place.comet_port,
        peers=peers,
        private_network=True,
        timing=timing,
    )
