"""Packs and unpacks the contents of volumes as tar streams, locked into one folder; run as a program of its own.

`archive.py pack FOLDER NAME` writes what is in FOLDER to standard output, under NAME/, without the two empty blocks
that end a tar, so that several may follow one another. `archive.py unpack FOLDER NAME…` reads a tar from standard
input; what is under NAME/ goes to FOLDER/NAME/data/.

What it meets is a tenant's: names, links and archives may be made to lead it astray, also while it reads. Before it
looks, it makes FOLDER its root directory, gives up every capability but those over files, and all imports.

Kept are contents, owners, modes, times of files, symbolic and hard links, FIFOs and holes; left out are sockets and
devices, extended attributes and access lists. Standard library only: it starts in the time of the interpreter.
"""

import ctypes
import errno
import os
import resource
import stat
import struct
import sys
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

REFUSED = 3
"""Exit status for an archive that is not taken; standard error says why."""
NO_SPACE = 4
_CHUNK = 256 * 1024
_BLOCK = 512
_MOST_MEMORY = 1 << 30
_PLAIN_SIZE = 1 << 33
"""Larger sizes need another header, with which tarfile misreads sparse files; those are packed with their holes."""
_CHOWN, _DAC_OVERRIDE, _FOWNER, _FSETID = 0, 1, 3, 4
_NO_NEW_PRIVILEGES = 38
_ARCHIVES_FAULT = (
    errno.EEXIST, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR
)  # fmt: skip
"""What only members that contradict one another, or make no sense, lead to."""
_CAPABILITY_VERSION = 0x20080522


class Refused(Exception):
    """The archive holds something that is not taken."""


def lock_into(folder: str) -> None:
    """Make `folder` the root directory, keep power over files only, and import nothing from now on."""
    libc = ctypes.CDLL(None, use_errno=True)
    kept = sum(1 << number for number in (_CHOWN, _DAC_OVERRIDE, _FOWNER, _FSETID))
    # Twice effective, permitted and inheritable, for the lower and the upper 32 capabilities.
    sets = struct.pack("6I", kept, kept, 0, 0, 0, 0)
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chroot(folder)
    os.chdir("/")
    sys.path.clear()
    sys.meta_path.clear()
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capabilities could not be given up")
    os.umask(0)


def pack(name: str, out: BinaryIO) -> None:
    """Write everything below the root directory, as members of the folder `name`."""
    links: dict[tuple[int, int], tuple[str, int]] = {}
    """First name of a file with several, and how many are still to come."""
    for path in _walk("/"):
        member = name + path.rstrip("/")
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            continue  # it went while this was looking: the app runs
        try:
            _pack_one(path, member, found, links, out)
        except FileNotFoundError:
            links.pop((found.st_dev, found.st_ino), None)  # else its other names would lead to what is not there


def _walk(folder: str) -> Iterator[str]:
    yield folder
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            yield from _walk(path)
        else:
            yield path


def _pack_one(
    path: str, member: str, found: os.stat_result, links: dict[tuple[int, int], tuple[str, int]], out: BinaryIO
) -> None:
    info = tarfile.TarInfo(member)
    info.mode, info.uid, info.gid, info.mtime = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_mtime
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        info.type = tarfile.DIRTYPE
    elif kind == stat.S_IFLNK:
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif kind == stat.S_IFIFO:
        info.type = tarfile.FIFOTYPE
    elif kind != stat.S_IFREG:
        return
    elif (first := _first_name(found, member, links)) is not None:
        info.type, info.linkname = tarfile.LNKTYPE, first
    else:
        # A path that became a FIFO or a link meanwhile must not hold this up.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileNotFoundError(path)
            _pack_file(info, file, out)
        return
    out.write(_header(info))


def _first_name(found: os.stat_result, member: str, links: dict[tuple[int, int], tuple[str, int]]) -> str | None:
    if found.st_nlink < 2:
        return None
    key = (found.st_dev, found.st_ino)
    first, more = links.get(key, (None, found.st_nlink))
    links[key] = (first or member, more - 1)
    if more <= 1:
        del links[key]
    return first


def _pack_file(info: tarfile.TarInfo, file: BinaryIO, out: BinaryIO) -> None:
    size = os.fstat(file.fileno()).st_size
    pieces = list(_pieces(file, size))
    if not pieces or sum(pieces[-1]) < size:
        pieces.append((size, 0))  # by which readers know how large it is
    listed = "".join(f"{number}\n" for number in (len(pieces), *(part for piece in pieces for part in piece))).encode()
    listed += bytes(-len(listed) % _BLOCK)
    packed = len(listed) + sum(length for _, length in pieces)
    if packed < size and packed < _PLAIN_SIZE:
        folder, _, base = info.name.rpartition("/")
        info.pax_headers = {
            "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": info.name,
            "GNU.sparse.realsize": str(size),
        }  # fmt: skip
        info.name, info.size = f"{folder}/GNUSparseFile.0/{base}", packed
        out.write(_header(info) + listed)
    else:
        pieces, info.size = [(0, size)], size
        out.write(_header(info))
    for offset, length in pieces:
        file.seek(offset)
        _copy(file, length, out)
    out.write(bytes(-info.size % _BLOCK))


def _pieces(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Where a file has data: offsets and lengths."""
    end = 0
    while end < size:
        try:
            start = os.lseek(file.fileno(), end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = min(size, os.lseek(file.fileno(), start, os.SEEK_HOLE))
        if start < end:
            yield start, end - start


def _copy(file: BinaryIO, length: int, out: BinaryIO) -> None:
    """Exactly so many bytes: what the app cut off meanwhile reads as zeros."""
    while length:
        data = file.read(min(_CHUNK, length))
        data = data or bytes(min(_CHUNK, length))
        out.write(data)
        length -= len(data)


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def unpack(names: frozenset[str], source: BinaryIO) -> None:
    """Take in a tar whose members are under `names`, with something under each. Raises Refused."""
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=source, mode="r|", errorlevel=2) as archive:
            for member in archive:
                _unpack_one(archive, member, names)
                seen.add(member.name.strip("./").split("/")[0])
                archive.members.clear()  # type: ignore[attr-defined]  # else it remembers all of them
    except tarfile.TarError as error:
        raise Refused(f"it is no tar, or a broken one ({error})") from error
    if missing := names - seen:
        raise Refused(f"it has nothing of {', '.join(sorted(missing))}")
    while source.read(_CHUNK):
        pass  # whatever pads the end


def _unpack_one(archive: tarfile.TarFile, member: tarfile.TarInfo, names: frozenset[str]) -> None:
    path = _target(member.name, names)
    is_top = path.count("/") == 2
    if is_top and not member.isdir():
        raise Refused(f"{member.name[:100]!r} is a volume and not a folder")
    if not is_top:
        _make_way(path, member)
    if member.isdir():
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
    elif member.isreg():
        archive.makefile(member, path)  # writes holes as holes
    elif member.issym():
        os.symlink(member.linkname, path)
        os.chown(path, member.uid, member.gid, follow_symlinks=False)
        return
    elif member.islnk():
        target = _target(member.linkname, names)
        _check_parent(target)
        os.link(target, path, follow_symlinks=False)
        return
    elif member.isfifo():
        os.mkfifo(path)
    else:
        raise Refused(f"{member.name[:100]!r} is a device or something else that volumes can't hold")
    os.chown(path, member.uid, member.gid)
    os.chmod(path, stat.S_IMODE(member.mode))
    os.utime(path, (member.mtime, member.mtime))


def _target(name: str, names: frozenset[str]) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or parts[0] not in names or "\0" in name:
        raise Refused(f"{name[:100]!r} is not in one of the volumes {', '.join(sorted(names))}")
    return "/".join(("", parts[0], "data", *parts[1:]))


def _make_way(path: str, member: tarfile.TarInfo) -> None:
    """Its folder is there, and nothing is at its place that it would be written through."""
    _check_parent(path)
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    if os.path.lexists(path) and not (member.isdir() and os.path.isdir(path) and not os.path.islink(path)):
        if os.path.isdir(path) and not os.path.islink(path):
            raise Refused(f"{member.name[:100]!r} comes as a folder and as something else")
        os.unlink(path)


def _check_parent(path: str) -> None:
    parent = os.path.dirname(path)
    if os.path.realpath(parent) != parent:
        raise Refused(f"{path[:100]!r} goes through a link")


def main(arguments: list[str]) -> int:
    """Run as a program."""
    verb, folder, *names = arguments
    try:
        lock_into(folder)
        if verb == "pack":
            pack(names[0], sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            unpack(frozenset(names), sys.stdin.buffer)
    except Refused as error:
        return _fail(REFUSED, str(error))
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        status = REFUSED if verb == "unpack" and error.errno in _ARCHIVES_FAULT else 1
        return _fail(NO_SPACE if full else status, error.strerror or str(error))
    except (MemoryError, RecursionError, ValueError, OverflowError) as error:
        return _fail(REFUSED, f"it can't be read ({type(error).__name__})")
    return 0


def _fail(status: int, sentence: str) -> int:
    # A traceback would look for source files, in a folder that is a tenant's now.
    os.write(2, sentence.encode("utf-8", "replace")[:500])
    return status


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
