"""The plot: a file of blocks that are slow to make and quick to read, so that reading them back shows a disk.

A block's bytes follow from the epoch's seed and the node alone, hence anybody can check one; but each costs memory-hard
work, so a node that makes blocks when asked is far slower than one that kept them. A Merkle root commits to all of them
before any is asked for. Beside the file lie its leaves, so that a node that restarts within an epoch does not begin
anew.
"""

import hashlib
import mmap
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux.durable import sync, write_whole
from flux.primitives import merkle

BLOCK: Final = 64 * 1024
FILE: Final = "benchmark.plot"
LEAVES: Final = "benchmark.leaves"
_HASH: Final = 32
_SCRYPT_BLOCK: Final = 8


@dataclass(frozen=True, slots=True)
class PlotPlan:
    """Which plot."""

    seed: bytes
    """Of this node in this epoch; `plot_seed` makes it."""
    blocks: int
    key_kib: int


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot that lies on the disk."""

    plan: PlotPlan
    path: Path
    leaves: tuple[bytes, ...]
    root: bytes


def plot_seed(epoch_seed: bytes, node: int) -> bytes:
    """Nobody can begin before the epoch's seed is drawn, and no two nodes share a plot."""
    return hashlib.sha256(b"flux plot" + epoch_seed + node.to_bytes(4, "big")).digest()


def make_block(plan: PlotPlan, index: int) -> bytes:
    """The bytes of one block."""
    salt = index.to_bytes(4, "big")
    memory = plan.key_kib * 1024 + 8 * 1024 * 1024
    key = hashlib.scrypt(plan.seed, salt=salt, n=plan.key_kib, r=_SCRYPT_BLOCK, p=1, maxmem=memory, dklen=32)
    return hashlib.shake_256(key).digest(BLOCK)


def fill(folder: Path, plan: PlotPlan, go_on: Callable[[], bool] = lambda: True) -> Plot | None:
    """Write the plot over the last one; None when `go_on` says no meanwhile. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    (folder / LEAVES).unlink(missing_ok=True)
    sync(folder)
    leaves = []
    with path.open("wb") as file:
        for index in range(plan.blocks):
            if not go_on():
                return None
            block = make_block(plan, index)
            leaves.append(merkle.leaf(block))
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    write_whole(folder / LEAVES, _seal(plan, leaves) + b"".join(leaves))
    return Plot(plan, path, tuple(leaves), merkle.root(leaves))


def kept(folder: Path, plan: PlotPlan) -> Plot | None:
    """The plot that was filled before, if it is this one and whole. Raises OSError.

    The leaves are those of the blocks as they were made: a disk that lost a block since is found out by that block, and
    commits to nothing false.
    """
    path = folder / FILE
    try:
        data = (folder / LEAVES).read_bytes()
        size = path.stat().st_size
    except FileNotFoundError:
        return None
    leaves = [data[start : start + _HASH] for start in range(_HASH, len(data), _HASH)]
    if data[:_HASH] != _seal(plan, leaves) or size != plan.blocks * BLOCK:
        return None
    return Plot(plan, path, tuple(leaves), merkle.root(leaves))


def _seal(plan: PlotPlan, leaves: Sequence[bytes]) -> bytes:
    """Binds leaves to their plot, and shows whether a byte of them was lost."""
    numbers = plan.blocks.to_bytes(4, "big") + plan.key_kib.to_bytes(4, "big")
    return hashlib.sha256(plan.seed + numbers + b"".join(leaves)).digest()


def tag(nonce: bytes, block: bytes) -> bytes:
    """Shows that whoever knows the nonce has the block."""
    return hashlib.blake2b(block, key=nonce, digest_size=16).digest()


def read_tags(plot: Plot, nonce: bytes, indices: Sequence[int]) -> list[bytes]:
    """Tags of blocks, read past the page cache where the file system can. Raises OSError."""
    try:
        file = os.open(plot.path, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        file = os.open(plot.path, os.O_RDONLY)
    try:
        with mmap.mmap(-1, BLOCK) as buffer:
            return [_read_tag(file, buffer, nonce, index) for index in indices]
    finally:
        os.close(file)


def read_block(plot: Plot, index: int) -> tuple[bytes, list[bytes]]:
    """A block and its Merkle proof. Raises OSError."""
    with plot.path.open("rb") as file:
        file.seek(index * BLOCK)
        return file.read(BLOCK), merkle.proof(plot.leaves, index)


def _read_tag(file: int, buffer: mmap.mmap, nonce: bytes, index: int) -> bytes:
    os.preadv(file, [buffer], index * BLOCK)
    return tag(nonce, buffer[:])
