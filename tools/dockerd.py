"""One private dockerd: started in a directory of its own, and stopped with everything that it runs.

Start it through `tools.engine`. Its images stay in the directory for the next start; containers, networks and volumes
do not. All of its sockets, locks and process ids are its own, so that it meets no other Engine on the machine.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.errors import ToolError
from tools.netfilter import (
    ADDRESS_POOL,
    HOST,
    Forwarding,
    Namespace,
    bridge_of,
    create_bridge,
    delete_bridge,
    find_iptables,
    forwarding,
)
from tools.programs import answers, docker, find_program, search_path

_RUN = Path("/run/flux-engine")
"""Sockets lie here and not in the directory, because the path of a unix socket may have 107 characters at most."""

_START_SECONDS = 60
_STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Daemon:
    """A dockerd that lives in `directory` (its data and log) and in a network namespace."""

    directory: Path
    namespace: Namespace = HOST
    insecure_registries: tuple[str, ...] = ()
    """Addresses of registries, beside 127.0.0.0/8, that may be pulled from without TLS."""
    live_restore: bool = False
    """Whether containers go on while dockerd is away. Swarm does not allow it."""

    @property
    def runtime(self) -> Path:
        """Where its sockets and process ids are."""
        return _RUN / hashlib.sha256(str(self.directory).encode()).hexdigest()[:12]

    @property
    def host(self) -> str:
        """Its DOCKER_HOST."""
        return f"unix://{self.runtime / 'docker.sock'}"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.directory / "dockerd.log"

    def is_answering(self) -> bool:
        """Whether it serves requests."""
        return (self.runtime / "docker.sock").exists() and answers(self.host)

    def start(self) -> None:
        """Start it empty but for its images, and wait until it answers.

        Raises ToolError with its last words when it does not.
        """
        self._end_orphans()
        with ExitStack() as undo:
            undo.callback(self.stop)
            self.resume()
            self._remove_contents()
            undo.pop_all()

    def resume(self) -> None:
        """Start it with what it had before it ended, and wait until it answers."""
        dockerd = check_startable()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.runtime.mkdir(parents=True, exist_ok=True)
        self._end_processes()
        if self.namespace.name is None:
            self._remember_forwarding()
        create_bridge(self.namespace, bridge_of(self.directory))
        environment = {**os.environ, "PATH": search_path()}
        iptables = find_iptables(self.namespace)
        if iptables is not None:
            environment["PATH"] = f"{self._program_directory(iptables)}:{environment['PATH']}"
        configuration = self.runtime / "daemon.json"
        configuration.write_text(json.dumps(self._configuration(has_iptables=iptables is not None)), encoding="ascii")
        pid = self._spawn(self.namespace.command(*self._command(dockerd, configuration)), environment)
        self._wait_until_answering(pid)

    def kill(self) -> None:
        """End it and all that it runs at once, as a power failure does; what is on the disk stays."""
        for program in ("dockerd", "containerd"):
            for pid in self.pids(program):
                _kill(pid)
        self._end_orphans()

    def stop(self) -> None:
        """Remove its containers, networks and volumes, end its processes, put the host's network back."""
        if self.is_answering():
            self._remove_contents()
        self._end_processes()
        self._end_orphans()
        self.unmount()
        if self.namespace.name is None or Path("/run/netns", self.namespace.name).exists():
            delete_bridge(self.namespace, bridge_of(self.directory))
        saved = self.runtime / "forwarding.json"
        if saved.exists():
            Forwarding(**json.loads(saved.read_text(encoding="ascii"))).put_back()
        shutil.rmtree(self.runtime, ignore_errors=True)

    def _command(self, dockerd: str, configuration: Path) -> list[str]:
        """The names keep it apart in a system containerd, which dockerd uses when it finds one."""
        name = self.runtime.name
        return [
            dockerd,
            f"--config-file={configuration}",
            f"--containerd-namespace=flux-{name}",
            f"--containerd-plugins-namespace=flux-plugins-{name}",
        ]

    def _configuration(self, *, has_iptables: bool) -> dict[str, object]:
        """A file of its own, so that the machine's /etc/docker/daemon.json is never read."""
        return {
            "data-root": str(self.directory / "data"),
            "exec-root": str(self.runtime / "exec"),
            "pidfile": str(self._pidfile),
            "hosts": [self.host],
            "group": "root",
            "bridge": bridge_of(self.directory).name,
            "default-address-pools": [ADDRESS_POOL],
            "iptables": has_iptables,
            "ip-masq": has_iptables,
            "insecure-registries": list(self.insecure_registries),
            "live-restore": self.live_restore,
            "shutdown-timeout": 5,
            "log-level": "warn",
        }

    def _program_directory(self, iptables: str) -> Path:
        """A directory in which `iptables` is the variant that works here."""
        directory = self.runtime / "programs"
        directory.mkdir(exist_ok=True)
        link = directory / "iptables"
        link.unlink(missing_ok=True)
        link.symlink_to(iptables)
        return directory

    def _remember_forwarding(self) -> None:
        """Only the first start's view counts: after a crash the settings are already dockerd's."""
        saved = self.runtime / "forwarding.json"
        if not saved.exists():
            saved.write_text(json.dumps(asdict(forwarding())), encoding="ascii")

    def _spawn(self, command: list[str], environment: dict[str, str]) -> int:
        """Start a process that may outlive this one, in a session of its own; returns its id."""
        writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        return os.posix_spawnp(
            command[0],
            command,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), writing, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigdef=[signal.SIGPIPE],
        )

    def _wait_until_answering(self, pid: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        with ExitStack() as undo:
            undo.callback(_end, pid)
            while not self.is_answering():
                if not _is_alive(pid):
                    raise ToolError(f"dockerd stopped while starting. Its last words:\n{self._last_words()}")
                if time.monotonic() > deadline:
                    raise ToolError(f"dockerd did not answer in {_START_SECONDS} s. Log: {self.log}")
                time.sleep(0.05)
            undo.pop_all()

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])

    def _remove_contents(self) -> None:
        containers = docker(self.host, "ps", "--all", "--quiet").split()
        if containers:
            docker(self.host, "rm", "--force", "--volumes", *containers)
        networks = docker(self.host, "network", "ls", "--quiet", "--filter", "type=custom").split()
        if networks:
            docker(self.host, "network", "rm", *networks)
        volumes = docker(self.host, "volume", "ls", "--quiet").split()
        if volumes:
            docker(self.host, "volume", "rm", "--force", *volumes)

    def _end_processes(self) -> None:
        """End its dockerd, and a containerd that outlived it. Looked up by what they were started with.

        A process id in a file may be missing, or belong to another program by now.
        """
        for program in ("dockerd", "containerd"):
            for pid in self.pids(program):
                _end(pid)
        self._pidfile.unlink(missing_ok=True)
        (self.runtime / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)

    def _end_orphans(self) -> None:
        """End the containers that a killed dockerd has left behind.

        The shims first: they would tell a living dockerd how their containers ended.
        """
        for pid in [*self.pids("containerd-shim-runc-v2"), *self.container_pids()]:
            _kill(pid)

    def container_pids(self) -> list[int]:
        """The living processes in its containers: those whose root lies in its data."""
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                root = (directory / "mountinfo").read_bytes().partition(b"\n")[0].decode(errors="replace")
            except OSError:
                continue
            if f"{self.directory}/data/" in root:
                found.append(int(directory.name))
        return found

    def pids(self, program: str) -> list[int]:
        """The living processes of a program that were started for this runtime directory."""
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                command = (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if Path(command[0]).name == program and any(f"{self.runtime}/" in argument for argument in command):
                found.append(int(directory.name))
        return found

    @property
    def _pidfile(self) -> Path:
        return self.runtime / "docker.pid"

    def unmount(self) -> None:
        """After a kill, what dockerd could not unmount itself."""
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        for mount in reversed([line.split()[1].replace("\\040", " ") for line in mounts]):
            if mount.startswith((f"{self.runtime}/", f"{self.directory}/")):
                subprocess.run(["umount", "--lazy", mount], check=True, capture_output=True)


def check_startable() -> str:
    """The dockerd to start, if this user may."""
    if os.geteuid() != 0:
        raise ToolError(
            "No Docker Engine answers, and only root can start one. Run this as root, or start Docker"
            " (sudo systemctl start docker) and join its group (sudo usermod -aG docker $USER), or set DOCKER_HOST."
        )
    dockerd = find_program("dockerd")
    if dockerd is None:
        raise ToolError("No Docker Engine answers and dockerd is not installed: apt-get install docker.io")
    return dockerd


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _end(pid: int) -> None:
    """SIGTERM, and SIGKILL when that was not enough."""
    for number, patience in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, 5)):
        deadline = time.monotonic() + patience
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        while time.monotonic() < deadline:
            if not _is_alive(pid):
                return
            time.sleep(0.02)
    raise ToolError(f"Process {pid} (dockerd) does not end.")


def _is_alive(pid: int) -> bool:
    """Whether it runs still; one that ended is collected if it was started by this process."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
