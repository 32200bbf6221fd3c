"""A real image registry on loopback: Debian's `docker-registry` on a free port, for as long as it is needed.

Docker trusts registries in 127.0.0.0/8 without TLS. An Engine in a network namespace has another loopback: give the
registry the address of a bridge, and that Engine the registry's name as an insecure registry.
"""

import http.client
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flux.services.ports import free_port
from tools.errors import ToolError
from tools.programs import find_program

_START_SECONDS = 20

_CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: "{data}"}}
  delete: {{enabled: true}}
http: {{addr: "{host}", secret: loopback}}
"""


@dataclass(slots=True)
class Registry:
    """A registry; what it stores lies in a directory, so that it may be killed and started again."""

    host: str
    """Address and port, as written in an image reference."""
    program: str
    directory: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it and wait until it answers. Raises ToolError."""
        configuration, log = self.directory / "config.yml", self.directory / "log"
        text = _CONFIGURATION.format(data=self.directory / "data", host=self.host)
        configuration.write_text(text, encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [self.program, "serve", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        _wait_until_answering(self.host, self.process, log)

    def kill(self) -> None:
        """End it at once, whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextmanager
def running_registry(*, address: str = "127.0.0.1", port: int | None = None) -> Iterator[Registry]:
    """An empty registry, at a free port unless one is named; it and what it stores are gone at the end."""
    program = find_program("docker-registry")
    if program is None:
        raise ToolError("docker-registry is not installed: apt-get install docker-registry")
    with tempfile.TemporaryDirectory(prefix="flux-registry-") as directory:
        registry = Registry(f"{address}:{port or free_port(address)}", program, Path(directory))
        try:
            registry.start()
            yield registry
        finally:
            registry.kill()


def _wait_until_answering(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _is_answering(host):
        if process.poll() is not None:
            words = log.read_text(encoding="utf-8", errors="replace").strip()
            raise ToolError(f"The registry at {host} stopped while starting: {words}")
        if time.monotonic() > deadline:
            raise ToolError(f"The registry at {host} did not answer in {_START_SECONDS} s.")
        time.sleep(0.02)


def _is_answering(host: str) -> bool:
    connection = http.client.HTTPConnection(host, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
