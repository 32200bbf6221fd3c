"""Every node as a column of int64: the facts that placement decides by, derived from chain state.

A fleet is a pure function of the node records, of what open leases take and of the price of FLUX: asks are compared in
FLUX, and those in dollars are turned into it for all nodes at once when the price is another (`reprice`). Texts
(places, operators, networks, GPU models) become small codes in order of first sight; codes are only compared for
equality, so a fleet that was kept in step and one that was rebuilt decide alike.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from flux.contracts.market.exchange import ask_in_flux
from flux.contracts.market.rules import MAX_ASK, NO_PRICE, Needs, cohort_of, is_payable
from flux.contracts.nodes.types import Architecture, Ask, Currency, Location, Node, NodeId, NodeStatus
from flux.contracts.oracle.types import NO_USD_PRICE, PRICE_UNIT, UsdPrice
from flux.primitives.types import U64

Ints = npt.NDArray[np.int64]

FEATURES: Final = 0
PLACE: Final = 1
OPERATOR: Final = 2
NETWORK: Final = 3
COUNTRY: Final = 4
COHORT: Final = 5
ASK_CPU: Final = 6
ASK_MEMORY: Final = 7
ASK_DISK: Final = 8
ASK_GPU: Final = 9
FREE_CPU: Final = 10
FREE_MEMORY: Final = 11
FREE_DISK: Final = 12
SLOTS: Final = 13
FREE_GPU: Final = 14
USD_CPU: Final = 15
"""This row and the next three: the ask as its operator gave it in dollars, else 0."""
COLUMNS: Final = 19

ACTIVE: Final = 1
TIER_1: Final = 2
"""This bit and the next two: the node's tier is at least 1, 2, 3."""
ARCHITECTURE_BIT: Final = {Architecture.AMD64: 16, Architecture.ARM64: 32}
STATIC_IP: Final = 64
PAYABLE: Final = 128
LOCATED: Final = 256
"""Its declared country counts."""
OPEN: Final = 512
"""Its operator does not drain it."""
IN_USD: Final = 1024
"""It asks in dollars."""
GPU_SHIFT: Final = 16
"""Bits from here on: code of the GPU model."""


class NodeFacts(NamedTuple):
    """One node as the market sees it."""

    node: Node
    network: str
    """Network prefix of its endpoint."""
    suspect: bool
    used: Needs
    slots_free: int
    """How many more leases it may hold."""


class Codes:
    """Small numbers for texts, in order of first sight. Codes are never taken back, so fleets may share them."""

    def __init__(self) -> None:
        self.places: dict[Location, int] = {}
        self.operators: dict[bytes, int] = {}
        self.networks: dict[str, int] = {}
        self.countries: dict[str, int] = {}
        self.models: dict[str, int] = {"": 0}
        self.allowed: dict[tuple[str, ...], npt.NDArray[np.bool_]] = {}
        """Geolocation rules already looked up: by place code, whether they allow it."""


class Fleet:
    """Column values by node: node id n is index n − 1."""

    __slots__ = ("_data", "codes", "count", "hint", "price")

    def __init__(
        self,
        codes: Codes | None = None,
        data: Ints | None = None,
        count: int = 0,
        price: UsdPrice = NO_USD_PRICE,
    ) -> None:
        self.codes = codes or Codes()
        self.count = count
        self.price = price
        """At which asks in dollars are turned into FLUX."""
        self._data: Ints = np.zeros((COLUMNS, 0), dtype=np.int64) if data is None else data
        self.hint: object | None = None
        """What the engine remembers about a good order to look at nodes in; it never changes a decision."""

    @classmethod
    def of(cls, facts: Iterable[NodeFacts], price: UsdPrice = NO_USD_PRICE) -> "Fleet":
        """A fleet of all nodes, in the order of their ids from 1."""
        fleet = cls(price=price)
        for fact in facts:
            fleet.put(fact)
        return fleet

    @property
    def columns(self) -> Ints:
        """Shape (COLUMNS, count)."""
        return self._data[:, : self.count]

    def copy(self) -> "Fleet":
        """An independent fleet; the hint is shared."""
        fleet = Fleet(self.codes, self._data.copy(), self.count, self.price)
        fleet.hint = self.hint
        return fleet

    def put(self, facts: NodeFacts) -> None:
        """Set one node's column; a new node's id must be the next one."""
        index = facts.node.id - 1
        if index == self.count:
            self._reserve(index + 1)
            self.count += 1
        elif index > self.count:
            raise ValueError(f"node {facts.node.id} cannot follow node {self.count}")
        self._data[:, index] = self._column(facts)

    def reprice(self, price: UsdPrice) -> None:
        """Turn asks in dollars into FLUX at another price, as `exchange.ask_in_flux` does one.

        An ask in dollars is at most 2**36, times 10**8 below 2**63; a price is at most 10**14.
        """
        if price == self.price:
            return
        self.price = price
        columns = self.columns
        nodes = np.nonzero(columns[FEATURES] & IN_USD)[0]
        if not nodes.size:
            return
        asks = columns[USD_CPU : USD_CPU + 4, nodes]
        if price:
            asks *= PRICE_UNIT
            asks += price - 1
            asks //= price
        else:
            asks[:] = NO_PRICE
        most = np.array(MAX_ASK, dtype=np.int64)[:, None]
        payable = (asks <= most).all(axis=0)
        columns[ASK_CPU : ASK_GPU + 1, nodes] = np.minimum(asks, most)
        columns[FEATURES, nodes] = columns[FEATURES, nodes] & ~PAYABLE | np.where(payable, PAYABLE, 0)

    def ask_of(self, node: NodeId) -> Ask:
        """A node's ask in its own currency; one in FLUX no higher than `MAX_ASK`."""
        column = self._data[:, node - 1]
        in_usd = bool(column[FEATURES] & IN_USD)
        first = USD_CPU if in_usd else ASK_CPU
        cpu, memory, disk, gpu = column[first : first + 4].tolist()
        return Ask(U64(cpu), U64(memory), U64(disk), U64(gpu), Currency.USD if in_usd else Currency.FLUX)

    def _reserve(self, size: int) -> None:
        if size > self._data.shape[1]:
            grown = np.zeros((COLUMNS, max(64, 2 * size)), dtype=np.int64)
            grown[:, : self.count] = self._data[:, : self.count]
            self._data = grown

    def _column(self, facts: NodeFacts) -> list[int]:
        node, used, codes = facts.node, facts.used, self.codes
        hardware, asked = node.hardware, node.ask
        ask = ask_in_flux(asked, self.price)
        in_usd = asked.currency is Currency.USD
        return [
            self._features(facts, ask),
            _code(codes.places, node.location),
            _code(codes.operators, node.operator),
            _code(codes.networks, facts.network),
            _code(codes.countries, node.location.country),
            cohort_of(node.registered_at),
            min(ask.cpu, MAX_ASK.cpu_milli),
            min(ask.memory, MAX_ASK.memory_mib),
            min(ask.disk, MAX_ASK.disk_mib),
            min(ask.gpu, MAX_ASK.gpu_count),
            hardware.cpu_milli - used.cpu_milli,
            hardware.memory_mib - used.memory_mib,
            hardware.disk_mib - used.disk_mib,
            facts.slots_free,
            hardware.gpu_count - used.gpu_count,
            *((asked.cpu, asked.memory, asked.disk, asked.gpu) if in_usd else (0, 0, 0, 0)),
        ]

    def _features(self, facts: NodeFacts, ask: Ask) -> int:
        node = facts.node
        features = ARCHITECTURE_BIT[node.hardware.architecture]
        features |= sum(TIER_1 << level for level in range(node.tier))
        features |= ACTIVE if node.status is NodeStatus.ACTIVE and not facts.suspect else 0
        features |= STATIC_IP if node.endpoint.static_ip else 0
        features |= PAYABLE if is_payable(ask) else 0
        features |= IN_USD if node.ask.currency is Currency.USD else 0
        features |= LOCATED if node.located else 0
        features |= 0 if node.drains_until else OPEN
        return features | _code(self.codes.models, node.hardware.gpu_model) << GPU_SHIFT


def _code(codes: dict[object, int] | dict[bytes, int] | dict[str, int] | dict[Location, int], value: object) -> int:
    return codes.setdefault(value, len(codes))  # type: ignore[arg-type]
