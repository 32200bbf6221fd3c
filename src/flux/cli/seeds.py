"""Seeds of the private halves this machine made, kept so that a tenant can read them and give them to nodes again.

One small file an app, readable by its user only, in a folder of its own for each chain. Which revision a seed is of
says the ciphertext that it opens: what number a revision gets is not known before the chain has made it.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.contracts.apps.types import AppId, Revision
from flux.contracts.secrets.types import NoPrivateHalf
from flux.durable import PRIVATE, write_whole
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient
from flux.sdk.errors import Refused

SEED_BYTES = 16
MOST_KEPT = 128
"""Seeds remembered for an app; more revisions than the chain ever keeps."""


class KeptSeeds(msgspec.Struct, frozen=True):
    """The file of one app."""

    seeds: list[str] | dict[int, str]
    """Hexadecimal, the oldest first; by presumed revision in files of older software."""

    def __repr__(self) -> str:
        return f"KeptSeeds({len(self.seeds)} seeds)"


class KeptSeed(msgspec.Struct, frozen=True):
    """The file of one app as it was when only the newest seed was kept."""

    seed: str


class SeedStore:
    """The seeds of one chain's apps, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, name: str, seed: bytes) -> None:
        """Write it down before it is needed, all or nothing; commands that run at the same time wait for each other."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            newest = [*self._read(name), seed][-MOST_KEPT:]
            document = msgspec.json.encode(KeptSeeds([kept.hex() for kept in newest]))
            write_whole(self._path(name), document, mode=PRIVATE)

    def knows(self, name: str) -> bool:
        """Whether any seed of an app of this name is kept."""
        return self._path(name).exists()

    def find(self, name: str, ciphertext: bytes) -> bytes | None:
        """The seed that opens a private half, if this machine made it. Raises CliError for a damaged file."""
        from flux.specs.private_half import opens

        return next((seed for seed in reversed(self._read(name)) if opens(ciphertext, seed)), None)

    def _read(self, name: str) -> list[bytes]:
        try:
            data = self._path(name).read_bytes()
        except FileNotFoundError:
            return []
        try:
            kept = [bytes.fromhex(seed) for seed in _decode(data)]
            if any(len(seed) != SEED_BYTES for seed in kept):
                raise ValueError("a seed has another size")
        except (msgspec.DecodeError, ValueError):
            raise CliError(
                f"{self._path(name)} is damaged", "move it away; a new version by `flux app update` makes a new seed"
            ) from None
        return kept

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def forget(self, name: str) -> None:
        """The app is gone."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def _decode(data: bytes) -> list[str]:
    """Seeds of a file of any form. Raises DecodeError."""
    try:
        seeds = msgspec.json.decode(data, type=KeptSeeds).seeds
    except msgspec.ValidationError:
        return [msgspec.json.decode(data, type=KeptSeed).seed]
    return seeds if isinstance(seeds, list) else list(seeds.values())


async def open_seeds(context: CommandContext, client: FluxClient) -> SeedStore:
    """The seeds of the chain behind a client."""
    info = await client.transport.request("flux_chainInfo")
    return SeedStore(context.home / "seeds" / str(info["genesisHash"])[2:18])


async def find_seed(
    context: CommandContext, client: FluxClient, app: AppId, name: str, revision: Revision
) -> bytes | None:
    """The seed of a revision's private half; None where there is none, or this machine has not got it."""
    seeds = await open_seeds(context, client)
    if not seeds.knows(name):
        return None
    try:
        ciphertext = await Secrets(client).ciphertext(app, revision)
    except Refused as refused:
        if isinstance(refused.revert, NoPrivateHalf):
            return None
        raise
    return seeds.find(name, ciphertext)
