"""Seeds of the private halves this machine deployed, kept so that a tenant can give them to nodes again.

One small file an app, readable by its user only, in a folder of its own for each chain.
"""

import os
from pathlib import Path

import msgspec

from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.contracts.apps.types import Revision
from flux.primitives.types import U32
from flux.sdk.client import FluxClient


class KeptSeed(msgspec.Struct, frozen=True):
    """The file of one app."""

    seed: str
    """Hexadecimal."""
    revision: int

    def __repr__(self) -> str:
        return f"KeptSeed(revision={self.revision})"


class SeedStore:
    """The seeds of one chain's apps, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, seed: bytes, revision: Revision) -> None:
        """Write it down before it is needed, all or nothing."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._folder / f".{name}.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(KeptSeed(seed.hex(), revision)))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path(name))

    def find(self, name: str) -> tuple[bytes, Revision] | None:
        """Seed and the revision it was made for. Raises CliError for a damaged file."""
        try:
            kept = msgspec.json.decode(self._path(name).read_bytes(), type=KeptSeed)
            return bytes.fromhex(kept.seed), Revision(U32(kept.revision))
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, ValueError) as error:
            raise CliError(
                f"{self._path(name)} is damaged", "move it away; a new version by `flux app update` makes a new seed"
            ) from error

    def forget(self, name: str) -> None:
        """The app is gone."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


async def open_seeds(context: CommandContext, client: FluxClient) -> SeedStore:
    """The seeds of the chain behind a client."""
    info = await client.transport.request("flux_chainInfo")
    return SeedStore(context.home / "seeds" / str(info["genesisHash"])[2:18])
