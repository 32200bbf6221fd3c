"""What nodes ask and have left while one block's instances are placed. What is left only ever gets less."""

import numpy as np

from flux.contracts.market.fleet import ASK_CPU, ASK_GPU, FREE_CPU, FREE_GPU, Fleet, Ints
from flux.contracts.market.rules import Needs, price_of
from flux.contracts.nodes.types import Ask
from flux.primitives.types import U64


class Offers:
    """A fleet from which a block takes. What it takes is in the fleet's columns after `settle`."""

    __slots__ = ("_free", "_left", "_settled", "_taken", "asks")

    def __init__(self, fleet: Fleet) -> None:
        self._left: dict[int, list[int]] = {}
        """By index, of nodes that were asked one by one."""
        self._taken: list[int] = []
        """Nodes that something was taken of, by index, in order."""
        self._settled = 0
        """How many of these the columns know of."""
        self.asks: Ints = fleet.columns[ASK_CPU : ASK_GPU + 1]
        """One row each: cpu, memory, disk, gpu."""
        self._free: Ints = fleet.columns[FREE_CPU : FREE_GPU + 1]

    @property
    def free(self) -> Ints:
        """What is left by now; one row each: cpu, memory, disk, leases, gpu."""
        self.settle()
        return self._free

    @property
    def takings(self) -> int:
        """How many instances were placed until now."""
        return len(self._taken)

    def taken_since(self, takings: int) -> Ints:
        """The nodes, by index, that got instances after that many were placed."""
        return np.array(list(dict.fromkeys(self._taken[takings:])), dtype=np.int64)

    def settle(self) -> None:
        """Write into the columns what was taken."""
        nodes = self.taken_since(self._settled)
        if nodes.size:
            self._free[:, nodes] = np.array([self._left[node] for node in nodes.tolist()], dtype=np.int64).T
            self._settled = len(self._taken)

    def fits(self, node: int, needs: Needs) -> bool:
        """Whether an instance fits on a node, by index."""
        if node not in self._left:
            self._left[node] = self._free[:, node].tolist()
        return self.still_fits(node, needs)

    def price(self, node: int, needs: Needs) -> int:
        """Price of an instance on a node, by index, milli-gwei per hour; its ask must be payable."""
        cpu, memory, disk, gpu = self.asks[:, node].tolist()
        return price_of(needs, Ask(U64(cpu), U64(memory), U64(disk), U64(gpu)))

    def still_fits(self, node: int, needs: Needs) -> bool:
        """Whether an instance fits on a node, by index, on which it fitted at some time during this block."""
        left = self._left.get(node)
        if left is None:
            return True
        cpu, memory, disk, leases, gpu = left
        return (
            cpu >= needs.cpu_milli
            and memory >= needs.memory_mib
            and disk >= needs.disk_mib
            and leases > 0
            and (gpu >= needs.gpu_count or not needs.gpu_count)
        )

    def take(self, node: int, needs: Needs) -> None:
        """One more lease on a node, by index."""
        left = self._left.get(node)
        if left is None:
            left = self._free[:, node].tolist()
        cpu, memory, disk, leases, gpu = left
        self._left[node] = [
            cpu - needs.cpu_milli,
            memory - needs.memory_mib,
            disk - needs.disk_mib,
            leases - 1,
            gpu - needs.gpu_count,
        ]
        self._taken.append(node)
