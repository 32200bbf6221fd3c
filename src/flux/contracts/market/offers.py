"""What nodes ask and have left while one block's instances are placed. What is left only ever gets less."""

from flux.contracts.market.fleet import ASK_CPU, ASK_GPU, FREE_CPU, FREE_GPU, Fleet, Ints
from flux.contracts.market.rules import Needs, price_of
from flux.contracts.nodes.types import Ask
from flux.primitives.types import U64


class Offers:
    """A fleet from which a block takes."""

    __slots__ = ("_fleet", "_left", "asks", "free")

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._left: dict[int, list[int]] = {}
        """Of nodes that something was taken of."""
        self.asks: Ints = fleet.columns[ASK_CPU : ASK_GPU + 1]
        """One row each: cpu, memory, disk, gpu."""
        self.free: Ints = fleet.columns[FREE_CPU : FREE_GPU + 1]
        """One row each: cpu, memory, disk, leases, gpu."""

    def fits(self, node: int, needs: Needs) -> bool:
        """Whether an instance fits on a node, by index."""
        if node not in self._left:
            self._left[node] = self.free[:, node].tolist()
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
            left = self.free[:, node].tolist()
        cpu, memory, disk, leases, gpu = left
        left = [
            cpu - needs.cpu_milli,
            memory - needs.memory_mib,
            disk - needs.disk_mib,
            leases - 1,
            gpu - needs.gpu_count,
        ]
        self._left[node] = left
        self.free[:, node] = left
