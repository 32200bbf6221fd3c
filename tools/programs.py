"""Finding and asking the programs that the tools are built on."""

import os
import shutil
import subprocess

from tools.errors import ToolError

_SYSTEM_DIRECTORIES = "/usr/local/sbin:/usr/sbin:/sbin"


def search_path() -> str:
    """PATH with the system directories that Debian leaves out for ordinary users."""
    return f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_DIRECTORIES}"


def find_program(name: str) -> str | None:
    """The full path of a program, or None."""
    return shutil.which(name, path=search_path())


def docker(host: str, *arguments: str, timeout: float = 120) -> str:
    """What the Docker client prints for the Engine at `host` (empty: its current context).

    Raises ToolError with what it complains about, also when it takes longer than `timeout` seconds.
    """
    program = find_program("docker")
    if program is None:
        raise ToolError("The Docker client is not installed.")
    environment = {**os.environ, "DOCKER_HOST": host}
    try:
        done = subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"`docker {arguments[0]}` took longer than {timeout:g} s.") from error
    if done.returncode != 0:
        raise ToolError(f"`docker {arguments[0]}` failed: {done.stderr.strip()}")
    return done.stdout


def answers(host: str) -> bool:
    """Whether a Docker Engine answers at `host`."""
    try:
        docker(host, "version", "--format", "{{.Server.Version}}", timeout=20)
    except ToolError:
        return False
    return True


def find_engine() -> str | None:
    """The DOCKER_HOST of the Engine that the Docker client would use, if it answers."""
    if find_program("docker") is None:
        return None
    host = os.environ.get("DOCKER_HOST")
    if not host:
        host = docker("", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}").strip()
    return host if answers(host) else None
