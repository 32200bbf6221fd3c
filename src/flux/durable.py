"""Files that survive a power failure: there whole or not at all, and there once the call has returned.

For everybody who may touch files; imports nothing of Flux.
"""

import os
import tempfile
from pathlib import Path

PUBLIC = 0o644
PRIVATE = 0o600


def write_whole(path: Path, data: bytes, *, mode: int = PUBLIC, durable: bool = True) -> None:
    """Put a file in the place of what has its name, which readers see until then. Raises OSError.

    Not `durable`: a reader still sees one or the other, but a power failure may leave nothing; for what is made anew.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            if durable:
                file.flush()
                os.fsync(descriptor)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def sync(path: Path) -> None:
    """Have a file's contents, or a folder's names, on disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
