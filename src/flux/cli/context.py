"""What every command is given: the options all commands share, the output, and clients opened for as long as needed.

`Wiring` is what tests replace: how a transport is opened and which environment is seen.
"""

import json
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flux.cli.output import Output

if TYPE_CHECKING:
    from flux.sdk.client import FluxClient
    from flux.sdk.signer import Signer
    from flux.sdk.transport import Transport

DEFAULT_RPC = "http://127.0.0.1:8545"


@dataclass(frozen=True, slots=True)
class Given:
    """The options of every command as they were given; None where they were not."""

    json: bool = False
    rpc: str | None = None
    home: str | None = None
    account: str | None = None
    debug: bool = False
    verify: bool = False

    def over(self, outer: "Given") -> "Given":
        """These, and where one is missing the other's."""
        return Given(
            self.json or outer.json,
            self.rpc or outer.rpc,
            self.home or outer.home,
            self.account or outer.account,
            self.debug or outer.debug,
            self.verify or outer.verify,
        )


def _open_http(url: str) -> "AbstractAsyncContextManager[Transport]":
    """The quick one where it serves; TLS and several endpoints are the other's."""
    if url.startswith("http://") and "," not in url:
        from flux.sdk.plain_transport import PlainTransport

        return PlainTransport(url)
    from flux.sdk.transport import HttpTransport

    return HttpTransport(url)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the commands reach the world through."""

    open_transport: "Callable[[str], AbstractAsyncContextManager[Transport]]" = _open_http
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], int] = time.time_ns
    """Nanoseconds since 1970, by which verification tells old from new."""


def _local_rpc(home: Path) -> str | None:
    """The endpoint of the local cloud of this home, as its state file says; read here so that nothing is imported."""
    try:
        return str(json.loads((home / "cloud" / "state.json").read_bytes())["rpc"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class CommandContext:
    """One run of one command."""

    def __init__(self, given: Given, wiring: Wiring | None = None) -> None:
        self.wiring = wiring or Wiring()
        environment = self.wiring.environment
        self.home = Path(given.home or environment.get("FLUX_HOME") or "~/.flux").expanduser().absolute()
        self.rpc = given.rpc or environment.get("FLUX_RPC") or _local_rpc(self.home) or DEFAULT_RPC
        self.account = given.account or environment.get("FLUX_ACCOUNT") or None
        self.debug = given.debug
        self.verify = given.verify
        self.output = Output(json=given.json)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that the command may see."""
        return self.wiring.environment

    @asynccontextmanager
    async def client(self) -> "AsyncIterator[FluxClient]":
        """A client of the chain at `--rpc`; with `--verify` one that believes only what validators signed."""
        from flux.sdk.client import FluxClient

        async with self.wiring.open_transport(self.rpc) as transport:
            yield FluxClient(await self._verified(transport) if self.verify else transport)

    async def _verified(self, transport: "Transport") -> "Transport":
        from flux.verification.trust import TrustStore, open_verified

        return await open_verified(transport, TrustStore(self.home), self.wiring.clock, self.output.note)

    async def signer(self, client: "FluxClient") -> "Signer":
        """Who signs: --account, else the wallet's only key, else on a local chain the first development account."""
        from flux.cli.accounts import open_signer

        return await open_signer(self, client)
