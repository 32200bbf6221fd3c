"""Files that the command line names. One that is missing, or may not be used, is wrong usage and not a failure."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flux.cli.errors import UsageError

_OF_THE_NAME = frozenset(
    {
        errno.EACCES,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)


@contextmanager
def named_file(path: Path, done: str = "read", hint: str = "check the path and who may use it") -> Iterator[None]:
    """Raises UsageError when the file can't be `done` because of its name or mode; a full disk is no such reason."""
    try:
        yield
    except OSError as error:
        if error.errno not in _OF_THE_NAME:
            raise
        raise UsageError(f"{path} can't be {done}: {error.strerror}", hint) from error
