"""Layers of container images: files taken from Debian packages or written here, as one reproducible tar.gz each.

Packages come through the machine's own apt, resolved as if nothing were installed, so that neither root nor a Docker
Engine is needed. They are unpacked and not configured: no maintainer script runs. What only serves installing,
documenting or booting is left out. The same packages give the same bytes.
"""

import copy
import fnmatch
import gzip
import io
import os
import py_compile
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tools.debian import refresh_package_lists
from tools.errors import ToolError

_UNWANTED_PACKAGES = (
    *("adduser", "debconf", "dpkg", "gcc-*-base", "init-system-helpers", "iproute2", "lsb-base", "passwd", "tar"),
    *("libaudit*", "libbpf*", "libcap-ng*", "libcap2-bin", "libelf*", "libpam*", "libsemanage*", "libsepol*"),
    *("libfile-find-rule-perl", "libnumber-compare-perl", "libperl*", "libtext-glob-perl", "perl*", "sysvinit-utils"),
    *("libgdbm*", "readline-common", "usr-is-merged", "usrmerge"),
)
_UNWANTED_PATHS = (
    *("etc/init.d*", "etc/logrotate.d*", "etc/systemd*", "etc/ufw*", "usr/lib/systemd*", "usr/lib/tmpfiles.d*"),
    *("usr/share/bash-completion*", "usr/share/bug*", "usr/share/doc*", "usr/share/info*", "usr/share/lintian*"),
    *("usr/share/locale*", "usr/share/man*", "usr/share/perl*", "usr/lib/python3*/test*", "usr/lib/python3*/pydoc*"),
)
_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
"""Directories that are links into /usr."""


@dataclass(slots=True)
class Layer:
    """Files of one layer by their path without a leading slash."""

    entries: dict[str, tuple[tarfile.TarInfo, bytes]] = field(default_factory=dict)

    def add(self, path: str, data: bytes, mode: int = 0o644, owner: int = 0) -> None:
        """A regular file."""
        info = _info(path, mode, owner)
        info.size = len(data)
        self.entries[path] = (info, data)

    def add_directory(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        """A directory."""
        info = _info(path, mode, owner)
        info.type = tarfile.DIRTYPE
        self.entries[path] = (info, b"")

    def add_link(self, path: str, target: str) -> None:
        """A symbolic link."""
        info = _info(path, 0o777, 0)
        info.type = tarfile.SYMTYPE
        info.linkname = target
        self.entries[path] = (info, b"")

    def add_packages(self, packages: Iterable[Path]) -> None:
        """Everything wanted from the given .deb files."""
        for package in packages:
            command = ["dpkg-deb", "--fsys-tarfile", str(package)]
            unpacked = subprocess.run(command, capture_output=True, check=True).stdout
            with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
                for member in archive:
                    self._add_member(archive, member)

    def archive(self) -> bytes:
        """The uncompressed tar: sorted by path, without times, so that its digest depends on its files alone."""
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(self.entries):
                info, data = self.entries[path]
                archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
        return output.getvalue()

    def _add_member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = merged_path(member.name)
        if not path or path in _MERGED or any(fnmatch.fnmatch(path, pattern) for pattern in _UNWANTED_PATHS):
            return
        content = archive.extractfile(member) if member.isreg() or member.islnk() else None
        data = content.read() if content else b""
        info = copy.copy(member)
        info.name = path
        info.mtime = 0
        info.uname = info.gname = ""
        info.pax_headers = {}
        if info.islnk():
            # A copy, because sorting could put a hard link before the file that it names.
            info.type = tarfile.REGTYPE
            info.size = len(data)
        self.entries[path] = (info, data)


def merged_path(name: str) -> str:
    """A path of a package as it is on a system whose /bin, /sbin and /lib are links into /usr."""
    path = str(PurePosixPath("/", name))[1:]
    first, slash, _ = path.partition("/")
    return f"usr/{path}" if slash and first in _MERGED else path


def compress(archive: bytes) -> bytes:
    """gzip without a time stamp."""
    return gzip.compress(archive, compresslevel=6, mtime=0)


def merged_links() -> Mapping[str, str]:
    """The links that make `merged_path` true."""
    return {name: f"usr/{name}" for name in _MERGED}


def compile_python(layer: Layer) -> None:
    """Add byte code for the standard library, which nobody in a container could write later.

    Only a Python of the same minor version can; with another, programs in the container start somewhat slower.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    prefix = f"usr/lib/python{version}/"
    sources = [path for path in layer.entries if path.startswith(prefix) and path.endswith(".py")]
    with tempfile.TemporaryDirectory() as directory:
        source_file = Path(directory, "source.py")
        compiled_file = Path(directory, "compiled.pyc")
        for path in sources:
            source_file.write_bytes(layer.entries[path][1])
            compiled = py_compile.compile(
                str(source_file),
                str(compiled_file),
                dfile=f"/{path}",
                quiet=2,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
            if compiled is None:
                continue
            source = PurePosixPath(path)
            name = f"{source.stem}.{sys.implementation.cache_tag}.pyc"
            layer.add_directory(str(source.parent / "__pycache__"))
            layer.add(str(source.parent / "__pycache__" / name), compiled_file.read_bytes())


def download_packages(names: Iterable[str], directory: Path) -> list[Path]:
    """The .deb files of the named packages and of all they depend on, less what no container needs."""
    wanted = list(names)
    archives = directory / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    for stale in archives.glob("*.deb"):
        stale.unlink()
    (directory / "status").touch()
    done = _download(wanted, directory)
    if done.returncode != 0:
        refresh_package_lists("to download Debian packages for the container images")
        done = _download(wanted, directory)
    if done.returncode != 0:
        raise ToolError(f"apt-get could not download {', '.join(wanted)}:\n{done.stdout}")
    return sorted(path for path in archives.glob("*.deb") if not _is_unwanted(path))


def _download(names: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    options = (
        f"Dir::State::status={directory / 'status'}",
        f"Dir::Cache::archives={directory / 'archives'}",
        "APT::Sandbox::User=root",
        "APT::Install-Recommends=false",
        "Dpkg::Use-Pty=0",
    )
    command = ["apt-get", "-qq", "-y", "--download-only", *(f"-o{option}" for option in options), "install", *names]
    return subprocess.run(
        command,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _is_unwanted(package: Path) -> bool:
    name = package.name.partition("_")[0]
    return any(fnmatch.fnmatch(name, pattern) for pattern in _UNWANTED_PACKAGES)


def _info(path: str, mode: int, owner: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.mode = mode
    info.uid = info.gid = owner
    return info
