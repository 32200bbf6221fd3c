"""What a committee member may ask of a node, as query strings: the member's signature covers them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

SEED_BYTES = 32
MAX_INTEGER_DIGITS = 19


class BadTask(Exception):
    """The query asks for nothing that exists; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work one task of each kind is; the same for everybody (a parameter of the chain)."""

    events_per_chain: int
    max_chains: int
    memory_tasks: int
    memory_mib: int
    """Of one task; a power of two."""
    plot_blocks: int
    """Blocks of 64 KiB that a node keeps on its disk in an epoch in which it is challenged."""
    plot_key_kib: int
    """Memory of the work that each block costs; a power of two. Reading must be much faster than making."""
    disk_reads: int
    transfer_kib: int


@dataclass(frozen=True, slots=True)
class CpuTask:
    """Run so many chains of events at once and sign the results (`primitives.cpu_work`)."""

    epoch: int
    seed: bytes
    chains: int
    length: int

    def query(self) -> str:
        return f"/v1/benchmark/cpu?epoch={self.epoch}&seed={self.seed.hex()}&chains={self.chains}&length={self.length}"

    @classmethod
    def read(cls, query: Mapping[str, str], sizes: Sizes) -> Self:
        """Raises BadTask, also for more work than the chain's parameters allow."""
        task = cls(number(query, "epoch"), seed(query), number(query, "chains"), number(query, "length"))
        if not 0 < task.chains <= sizes.max_chains or task.length != sizes.events_per_chain:
            raise BadTask(f"a task has 1–{sizes.max_chains} chains of {sizes.events_per_chain} events")
        return task


@dataclass(frozen=True, slots=True)
class MemoryTask:
    """Do all memory-hard tasks of a seed at once (`agent.hardware.memory`)."""

    seed: bytes

    def query(self) -> str:
        return f"/v1/benchmark/memory?seed={self.seed.hex()}"

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """Raises BadTask."""
        return cls(seed(query))


@dataclass(frozen=True, slots=True)
class DiskTask:
    """Read blocks of the plot and answer with a tag of each, which needs the whole block and this nonce."""

    seed: bytes
    blocks: tuple[int, ...]

    def query(self) -> str:
        return f"/v1/benchmark/disk/tags?seed={self.seed.hex()}&blocks={','.join(map(str, self.blocks))}"

    @classmethod
    def read(cls, query: Mapping[str, str], sizes: Sizes) -> Self:
        """Raises BadTask."""
        parts = query.get("blocks", "").split(",")
        if len(parts) > sizes.disk_reads:
            raise BadTask(f"at most {sizes.disk_reads} blocks are read at once")
        return cls(seed(query), tuple(_index(part, sizes) for part in parts))


@dataclass(frozen=True, slots=True)
class TransferTask:
    """Send bytes that only the seed determines."""

    seed: bytes

    def query(self) -> str:
        return f"/v1/benchmark/network?seed={self.seed.hex()}"

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """Raises BadTask."""
        return cls(seed(query))


def block_index(query: Mapping[str, str], sizes: Sizes) -> int:
    """The block of a request for a whole one. Raises BadTask."""
    return _index(query.get("index", ""), sizes)


def seed(query: Mapping[str, str]) -> bytes:
    """Raises BadTask."""
    try:
        found = bytes.fromhex(query.get("seed", ""))
    except ValueError:
        found = b""
    if len(found) != SEED_BYTES:
        raise BadTask(f"seed must be {SEED_BYTES} bytes of hexadecimal")
    return found


def number(query: Mapping[str, str], name: str) -> int:
    """Raises BadTask."""
    text = query.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_INTEGER_DIGITS):
        raise BadTask(f"{name} must be a number")
    return int(text)


def _index(text: str, sizes: Sizes) -> int:
    index = number({"a block": text}, "a block")
    if index >= sizes.plot_blocks:
        raise BadTask(f"the plot has {sizes.plot_blocks} blocks")
    return index
