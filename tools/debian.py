"""The programs that Flux needs beside Python, and the Debian packages that bring them.

Packages are installed only when a program is absent and only by root; anybody else is told what to install. The
services in those packages are not started: the tools start what they need, on ports of their own, and stop it again.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.errors import ToolError
from tools.programs import find_engine, find_program, search_path

_POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True, slots=True)
class Program:
    """A program that must be found, and the package that has it."""

    name: str
    package: str
    reason: str


PROGRAMS = (
    Program("caddy", "caddy", "the ingress"),
    Program("docker-registry", "docker-registry", "the loopback registry that images are pulled from"),
    Program("faketime", "faketime", "the tests in which clocks jump"),
    Program("ip", "iproute2", "the tests of networks that fall apart"),
    Program("strace", "strace", "the test that sees each block flushed to disk"),
)

ENGINE_PROGRAMS = (
    Program("dockerd", "docker.io", "the Docker Engine"),
    Program("docker", "docker-cli", "the Docker client"),
    Program("iptables", "iptables", "the Engine's networks"),
)


def missing_programs() -> tuple[Program, ...]:
    """The programs that are needed on this machine and absent; an Engine that answers needs no other."""
    missing = [program for program in PROGRAMS if find_program(program.name) is None]
    if find_engine() is None:
        missing += [program for program in ENGINE_PROGRAMS if find_program(program.name) is None]
    return tuple(missing)


def install_programs(missing: Sequence[Program]) -> None:
    """Install the packages of `missing` with apt, or say which they are and why that cannot be done here."""
    packages = sorted({program.package for program in missing})
    reasons = ", ".join(f"{program.name} ({program.reason})" for program in missing)
    install_packages(packages, reasons)
    absent = [program.name for program in missing if find_program(program.name) is None]
    if absent:
        raise ToolError(f"apt installed {', '.join(packages)}, yet {', '.join(absent)} cannot be found in PATH.")


def install_packages(packages: Sequence[str], reasons: str) -> None:
    """Install Debian packages as root; otherwise raise with the command that somebody else can run.

    A package that this release of Debian lacks (docker-cli was split from docker.io after bookworm) is left out.
    """
    by_hand = f"Install them with: sudo apt-get install {' '.join(packages)}"
    if find_program("apt-get") is None:
        raise ToolError(f"Missing: {reasons}. This machine has no apt-get; install them with its own package manager.")
    if os.geteuid() != 0:
        raise ToolError(f"Missing: {reasons}. {by_hand}")
    print(f"Installing {', '.join(packages)} with apt", flush=True)
    refresh_package_lists(reasons)
    known = [name for name in packages if _is_known(name)]
    with _services_left_alone():
        _apt_get("install", "-qq", "-y", "--no-install-recommends", *known)


def refresh_package_lists(reasons: str) -> None:
    """`apt-get update`, or the sentence that somebody has to do it."""
    if os.geteuid() != 0:
        raise ToolError(f"Debian's package lists are out of date ({reasons}). Refresh them: sudo apt-get update")
    _apt_get("update", "-qq")


def _is_known(package: str) -> bool:
    shown = subprocess.run(["apt-cache", "show", package], capture_output=True, check=False)
    return shown.returncode == 0 and bool(shown.stdout.strip())


def _apt_get(*arguments: str) -> None:
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": search_path()}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        print(tail, file=sys.stderr)
        raise ToolError(f"apt-get {arguments[0]} failed (above). Check this machine's package sources, then try again.")


@contextmanager
def _services_left_alone() -> Iterator[None]:
    """Keep package scripts from starting services, by Debian's own switch, unless the machine already has one."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
