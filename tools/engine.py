"""A working Docker Engine for as long as it is needed.

`running_engine` is for everybody: the Engine that answers already, or one private Engine for the whole checkout,
started by the first who needs it and stopped by the last. `private_engine` is for tests that need several hosts: one
Engine each, in a network namespace each.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.dockerd import Daemon, check_startable
from tools.netfilter import Namespace
from tools.paths import STATE
from tools.programs import find_engine


@contextmanager
def running_engine(directory: Path = STATE / "engine") -> Iterator[str]:
    """The DOCKER_HOST of an Engine that answers; inside, DOCKER_HOST is also set in this process's environment.

    Raises ToolError when none answers and none can be started.
    """
    host = find_engine()
    if host is not None:
        with _docker_host(host):
            yield host
        return
    with shared_engine(Daemon(directory)) as host, _docker_host(host):
        yield host


@contextmanager
def private_engine(
    directory: Path, *, network_namespace: str | None = None, insecure_registries: tuple[str, ...] = ()
) -> Iterator[Daemon]:
    """An Engine of one's own in `directory`, stopped at the end together with all that it runs."""
    daemon = Daemon(directory.resolve(), Namespace(network_namespace), insecure_registries)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


@contextmanager
def shared_engine(daemon: Daemon) -> Iterator[str]:
    """The Engine of `daemon`, started by the first user and stopped by the last.

    Users are counted with file locks, which the kernel drops when a user dies, however it dies.
    """
    if not daemon.is_answering():
        check_startable()
    daemon.directory.mkdir(parents=True, exist_ok=True)
    with (daemon.directory / "users.lock").open("w") as users:
        try:
            with _exclusive(daemon.directory):
                if not daemon.is_answering():
                    daemon.start()
                fcntl.flock(users, fcntl.LOCK_SH)
            yield daemon.host
        finally:
            with _exclusive(daemon.directory):
                if _is_last(users.fileno()):
                    daemon.stop()


@contextmanager
def _exclusive(directory: Path) -> Iterator[None]:
    """One at a time starts or stops the Engine."""
    with (directory / "change.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_last(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _docker_host(host: str) -> Iterator[None]:
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = host
    try:
        yield
    finally:
        if before is None:
            del os.environ["DOCKER_HOST"]
        else:
            os.environ["DOCKER_HOST"] = before
