"""Seeds of the private halves this machine made, kept so that a tenant can read them and give them to nodes again.

One small file an app, readable by its user only, in a folder of its own for each chain.
"""

import os
from pathlib import Path

import msgspec

from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.contracts.apps.types import Revision
from flux.sdk.client import FluxClient

SEED_BYTES = 16
MOST_KEPT = 128
"""Seeds remembered for an app; more revisions than the chain ever keeps."""


class KeptSeeds(msgspec.Struct, frozen=True):
    """The file of one app."""

    seeds: dict[int, str]
    """Hexadecimal, by revision."""

    def __repr__(self) -> str:
        return f"KeptSeeds(revisions={list(self.seeds)})"


class KeptSeed(msgspec.Struct, frozen=True):
    """The file of one app as it was when only the newest seed was kept."""

    seed: str
    revision: int


class SeedStore:
    """The seeds of one chain's apps, by name and revision."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, name: str, seed: bytes, revision: Revision) -> None:
        """Write it down before it is needed, all or nothing. The first revision's begins a new app of this name."""
        seeds = {} if revision == 1 else dict(self._read(name))
        seeds[revision] = seed.hex()
        newest = dict(sorted(seeds.items())[-MOST_KEPT:])
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.folder / f".{name}.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(KeptSeeds(newest)))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path(name))

    def find(self, name: str, revision: Revision) -> bytes | None:
        """The seed of a revision, if this machine made it. Raises CliError for a damaged file."""
        found = self._read(name).get(revision)
        return None if found is None else bytes.fromhex(found)

    def _read(self, name: str) -> dict[int, str]:
        try:
            data = self._path(name).read_bytes()
        except FileNotFoundError:
            return {}
        try:
            kept = _decode(data)
            if any(len(bytes.fromhex(seed)) != SEED_BYTES for seed in kept.values()):
                raise ValueError("a seed has another size")
        except (msgspec.DecodeError, ValueError):
            raise CliError(
                f"{self._path(name)} is damaged", "move it away; a new version by `flux app update` makes a new seed"
            ) from None
        return kept

    def forget(self, name: str) -> None:
        """The app is gone."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def _decode(data: bytes) -> dict[int, str]:
    """Seeds of a file of either form. Raises DecodeError."""
    try:
        return msgspec.json.decode(data, type=KeptSeeds).seeds
    except msgspec.ValidationError:
        old = msgspec.json.decode(data, type=KeptSeed)
        return {old.revision: old.seed}


async def open_seeds(context: CommandContext, client: FluxClient) -> SeedStore:
    """The seeds of the chain behind a client."""
    info = await client.transport.request("flux_chainInfo")
    return SeedStore(context.home / "seeds" / str(info["genesisHash"])[2:18])
