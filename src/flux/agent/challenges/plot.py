"""The plot: a file of blocks that are slow to make and quick to read, so that reading them back shows a disk.

A block's bytes follow from the epoch's seed and the node alone, hence anybody can check one; but each costs memory-hard
work, so a node that makes blocks when asked is far slower than one that kept them. A Merkle root commits to all of them
before any is asked for.
"""

import hashlib
import mmap
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux.primitives import merkle

BLOCK: Final = 64 * 1024
FILE: Final = "benchmark.plot"
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
    return Plot(plan, path, tuple(leaves), merkle.root(leaves))


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
