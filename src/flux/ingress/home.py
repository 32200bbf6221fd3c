"""The ingress's folder: one ingress at a time, its secret, its configuration, and a Caddy that was left behind."""

import asyncio
import fcntl
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from flux.durable import PRIVATE, write_whole
from flux.ingress.config import ROUTES_PATH
from flux.ingress.errors import AlreadyRunning

_LEFTOVER_PATIENCE_SECONDS = 10


class IngressHome:
    """Files of one ingress; nobody else may read them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "caddy.json"
        self._pid_file = path / "caddy.pid"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only ingress here. Raises AlreadyRunning."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(
                    f"An ingress runs in {self.path} already.", "Stop it first, or choose another FLUX_HOME."
                ) from None
            yield

    def cookie_secret(self) -> str:
        """What sticky cookies are made with: kept, so that visitors stay where they are over a restart."""
        path = self.path / "cookie-secret"
        if not path.exists():
            _write(path, secrets.token_hex(32))
        return path.read_text(encoding="ascii")

    def write_config(self, config: dict[str, Any]) -> None:
        """What a Caddy that starts will serve."""
        _write(self.config, json.dumps(config, indent=1))

    def find_routes(self) -> list[dict[str, Any]] | None:
        """The routes that were served last, or None: a new ingress serves them until the chain is read."""
        try:
            routes = json.loads(self.config.read_text(encoding="utf-8"))
            for key in ROUTES_PATH.split("/")[1:]:
                routes = routes[key]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return routes if isinstance(routes, list) else None

    def write_pid(self, pid: int) -> None:
        """Remember the Caddy that runs."""
        _write(self._pid_file, str(pid))

    def forget_pid(self) -> None:
        """It has ended."""
        self._pid_file.unlink(missing_ok=True)

    async def end_leftover(self) -> None:
        """End the Caddy of an ingress that was killed: it still serves, and has the port."""
        process = self._find_leftover()
        if process is not None:
            process.terminate()
            _, alive = await asyncio.to_thread(psutil.wait_procs, [process], _LEFTOVER_PATIENCE_SECONDS)
            for stubborn in alive:
                stubborn.kill()
        self.forget_pid()

    def _find_leftover(self) -> psutil.Process | None:
        """Only if it is still that program: process ids are used again."""
        try:
            process = psutil.Process(int(self._pid_file.read_text(encoding="ascii")))
            return process if str(self.config) in process.cmdline() else None
        except (OSError, ValueError, psutil.Error):
            return None


def _write(path: Path, text: str) -> None:
    """Readable by nobody else. The chain knows all of it again, so routes do not wait for the disk."""
    write_whole(path, text.encode(), mode=PRIVATE, durable=False)
