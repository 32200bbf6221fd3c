"""What goes wrong in a soak, and in which order: pure, from a seed, so that a run that failed can be played again.

Each fault is dealt once before any is dealt again; every second round two happen at once.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

SHORTEST, LONGEST = 4, 12
"""Seconds that faults last; then everything is put right."""


class Kind(StrEnum):
    """What happens to a target."""

    KILL = "kill"
    PAUSE = "pause"
    CUT = "cut the line of"
    APART = "put apart two hosts from"
    FILL = "fill the disk of"
    AHEAD = "set the clock an hour ahead of"
    BEHIND = "set the clock an hour behind of"
    POWER = "cut the power of"


class Part(StrEnum):
    """A kind of process; of hosts, or of the network as a whole."""

    CHAIN = "chain"
    INGRESS = "ingress"
    CADDY = "caddy"
    REGISTRY = "registry"
    AGENT = "agent"
    DOCKERD = "dockerd"
    CONTAINERD = "containerd"
    SHIM = "shim"
    CONTAINER = "container"


OF_HOST = (Part.AGENT, Part.DOCKERD, Part.CONTAINERD, Part.SHIM, Part.CONTAINER)
OF_NETWORK = {Part.CHAIN: "chain", Part.INGRESS: "edge", Part.CADDY: "edge", Part.REGISTRY: "client"}
HAS_DISK = HAS_CLOCK = ("chain",)
HAS_LINE = ("chain", "edge")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    kind: Kind
    place: str
    """A host, `chain`, `edge`, where the ingress is, or `client`, where the registry is."""
    part: Part | None = None

    def sort(self, hosts: Sequence[str]) -> tuple[Kind, Part | None, str]:
        """What hosts have in common: faults of one sort are alike."""
        return self.kind, self.part, "host" if self.place in hosts else self.place

    def __str__(self) -> str:
        return " ".join(word for word in (self.kind, self.part, "at" if self.part else "", self.place) if word)


@dataclass(frozen=True, slots=True)
class Round:
    """Faults at the same time, and for how long."""

    faults: tuple[Fault, ...]
    seconds: int

    def __str__(self) -> str:
        return f"{' and '.join(map(str, self.faults))}, for {self.seconds} s"


def all_faults(hosts: Sequence[str]) -> list[Fault]:
    """Every fault of every target."""
    faults = []
    for kind in (Kind.KILL, Kind.PAUSE):
        faults += [Fault(kind, place, part) for part, place in OF_NETWORK.items()]
        faults += [Fault(kind, host, part) for part in OF_HOST for host in hosts]
    faults += [Fault(Kind.CUT, place) for place in (*HAS_LINE, *hosts)]
    faults += [Fault(Kind.FILL, place) for place in (*HAS_DISK, *hosts)]
    faults += [Fault(kind, place) for kind in (Kind.AHEAD, Kind.BEHIND) for place in (*HAS_CLOCK, *hosts)]
    faults += [Fault(kind, host) for kind in (Kind.POWER, Kind.APART) for host in hosts]
    return faults


def rounds(seed: int, hosts: Sequence[str]) -> Iterator[Round]:
    """Without end."""
    chance = random.Random(seed)
    deck: list[Fault] = []
    number = 0
    while True:
        wanted = 1 + number % 2
        while len(deck) < wanted:
            deck += _dealt(chance, hosts)
        yield Round(tuple(deck.pop(0) for _ in range(wanted)), chance.randint(SHORTEST, LONGEST))
        number += 1


def _dealt(chance: random.Random, hosts: Sequence[str]) -> list[Fault]:
    """All faults, so mixed that each sort comes early for one of its targets."""
    faults = all_faults(hosts)
    chance.shuffle(faults)
    seen: set[tuple[Kind, Part | None, str]] = set()
    first, later = [], []
    for fault in faults:
        (later if fault.sort(hosts) in seen else first).append(fault)
        seen.add(fault.sort(hosts))
    return first + later
