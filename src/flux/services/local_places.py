"""Where the nodes of a local cloud pretend to be, and what they ask: different enough that placement has a choice."""

from dataclasses import dataclass

import msgspec

from flux.contracts.nodes.types import Ask, Hardware, Location
from flux.primitives.types import U32, U64, Wei
from flux.primitives.types import flux as whole

LEAST_CPU_MILLI = U32(4000)
"""A made-up site has as many threads as the smallest tier, though all sites share this machine's: four services of half
a core each must find a node on a laptop of two cores."""


@dataclass(frozen=True, slots=True)
class Place:
    """A made-up site."""

    location: Location
    ask: Ask
    stake: Wei


def _place(continent: str, country: str, region: str, percent: int, stake: int) -> Place:
    """`percent` of the usual prices per hour: 0.02 FLUX a core, 0.01 a GiB of memory, 0.0002 a GiB of disk, 5 a GPU."""
    ask = Ask(
        cpu=U64(200_000 * percent),
        memory=U64(100_000 * percent),
        disk=U64(2_000 * percent),
        gpu=U64(50_000_000 * percent),
    )
    return Place(Location(continent, country, region), ask, whole(stake))


_PLACES = (
    _place("EU", "FR", "IDF", 100, 1_000),
    _place("EU", "DE", "BE", 90, 1_000),
    _place("NA", "US", "CA", 120, 12_500),
    _place("AS", "JP", "13", 130, 1_000),
    _place("EU", "DE", "HE", 80, 12_500),
    _place("EU", "PL", "MZ", 105, 1_000),
    _place("EU", "FI", "18", 95, 1_000),
    _place("NA", "CA", "QC", 110, 1_000),
    _place("OC", "AU", "NSW", 140, 40_000),
    _place("SA", "BR", "SP", 85, 1_000),
)


def place(index: int) -> Place:
    """The site of node `index`, from 0."""
    return _PLACES[index % len(_PLACES)]


def pretended(machine: Hardware) -> Hardware:
    """What a site on this machine declares."""
    return msgspec.structs.replace(machine, cpu_milli=max(machine.cpu_milli, LEAST_CPU_MILLI))
