"""What a local cloud writes down about itself, so that another process can show it, stop it, or clean up after it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from flux.services.errors import CloudRunning
from flux.services.home import CloudHome
from flux.services.processes import ProcessRecord


class CloudState(msgspec.Struct, frozen=True):
    """The file `state.json`."""

    supervisor: ProcessRecord
    rpc: str
    http_port: int
    """0 without an ingress."""
    docker: str | None
    processes: tuple[ProcessRecord, ...]
    nodes: tuple[int, ...] = ()
    """Numbers on chain, in the order of the node processes."""
    ready: bool = False

    @property
    def is_supervised(self) -> bool:
        """Whether the process that started it still lives."""
        return self.supervisor.is_alive


def this_process(log: Path) -> ProcessRecord:
    """The record of the supervisor."""
    return ProcessRecord("supervisor", os.getpid(), psutil.Process().create_time(), str(log))


def write_state(home: CloudHome, state: CloudState) -> None:
    """All or nothing."""
    temporary = home.state.with_suffix(".new")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=1))
    temporary.replace(home.state)


def find_state(home: CloudHome) -> CloudState | None:
    """The state of a cloud that runs or was not stopped cleanly; None when there is none to be read."""
    try:
        return msgspec.json.decode(home.state.read_bytes(), type=CloudState)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


@contextmanager
def supervision(home: CloudHome) -> Iterator[None]:
    """The right to run the cloud of a home; the kernel takes it back when the process dies, however it dies."""
    home.path.mkdir(parents=True, exist_ok=True)
    with home.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CloudRunning(
                f"the local cloud in {home.path} runs already", "see `flux status`, stop it with `flux down`"
            ) from error
        yield
