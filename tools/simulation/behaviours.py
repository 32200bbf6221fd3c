"""Ways to behave. Each changes one thing of what an honest operator does; the simulation asks what that earned.

A behaviour decides what a machine declares, whether it serves, and what it says of others. Conspirators know each
other: whatever each of them does, they are one conspiracy.
"""

import random
from collections.abc import Sequence

import msgspec

from flux.contracts.benchmarks.types import Measurement
from flux.contracts.nodes.types import Tier
from flux.primitives.types import U32
from tools.simulation.population import PLACES, Machine

SPEEDS = ("cpu_events", "memory_mib", "disk_mib", "network_mbit")
HONEST_AVAILABILITY = 0.995
ASKED = 1_000
"""Probes of one target by one member in an epoch, in the report's counts."""


class Honest:
    """Serves nearly always, starts what it is given, says what it saw."""

    name = "honest"
    says = "serves, probes and reports as it should"
    conspires = False
    weight = 1
    """Beside others of the conspiracy: how many of its operators behave so."""
    persists = False
    """Whether it votes again and again in an epoch."""
    reports = True
    """Whether it reports at all."""

    def declared(self, tier: Tier) -> Tier:
        """The tier that is declared and staked for."""
        return tier

    def place(self, real: tuple[str, str], draw: random.Random) -> tuple[str, str]:
        """Where the machine is said to be."""
        return real

    def is_up(self, draw: random.Random) -> bool:
        """Whether the machine serves in this epoch."""
        return draw.random() < HONEST_AVAILABILITY

    def starts(self) -> bool:
        """Whether it starts what it was assigned."""
        return True

    def answered(self, target: Machine, *, is_held: bool) -> int:
        """How many of `ASKED` probes it says that a target answered. `is_held`: by a majority of conspirators."""
        return target.served

    def suspects(self, target: Machine) -> bool:
        """Whether it votes that a target cannot be reached."""
        return not target.is_up

    def confirms(self, target: Machine) -> bool:
        """Whether it says that it reached a suspect target."""
        return target.is_up

    def measured(self, target: Machine, seen: Measurement) -> Measurement:
        """What it says that it measured."""
        return seen

    def is_friend(self, target: Machine) -> bool:
        """Whether both belong to the conspiracy."""
        return self.conspires and target.operator.conspires


class LazyProber(Honest):
    """Never probes anybody and says that all answered."""

    name = "lazy prober"
    says = "probes nobody and reports that all answered"

    def answered(self, target: Machine, *, is_held: bool) -> int:
        """Everything."""
        return ASKED

    def suspects(self, target: Machine) -> bool:
        """It never looks."""
        return False


class SilentMember(LazyProber):
    """Never probes anybody and reports nothing either."""

    name = "silent member"
    says = "neither probes nor reports"
    reports = False


class Conspirator(Honest):
    """Helps the conspiracy wherever that can have an effect: in committees that it holds the majority of."""

    conspires = True

    def answered(self, target: Machine, *, is_held: bool) -> int:
        """All of a friend's and none of a rival's, where that is what counts; else the truth."""
        if not is_held:
            return target.served
        return ASKED if self.is_friend(target) else 0

    def suspects(self, target: Machine) -> bool:
        """Never a friend."""
        return not target.is_up and not self.is_friend(target)


class CarefulColluder(Conspirator):
    """Never says what its committee would not agree on."""

    name = "careful colluder"
    says = "reports rivals as never up where the conspiracy holds the committee"


class Colluder(Conspirator):
    """Says that friends always answered and rivals never did."""

    name = "colluder"
    says = "reports friends as always up and rivals as never, in every committee"

    def answered(self, target: Machine, *, is_held: bool) -> int:
        """All of a friend's, none of a rival's."""
        return ASKED if self.is_friend(target) else 0

    def measured(self, target: Machine, seen: Measurement) -> Measurement:
        """Ten times as much for friends, a tenth for rivals."""
        tenfold = {name: U32(getattr(seen, name) * 10) for name in SPEEDS}
        tenth = {name: U32(getattr(seen, name) // 10) for name in SPEEDS}
        return msgspec.structs.replace(seen, **(tenfold if self.is_friend(target) else tenth))


class FalseWitness(Conspirator):
    """Votes against rivals that serve, to take their leases."""

    name = "false witness"
    says = "votes that rivals cannot be reached"
    persists = True
    weight = 2

    def suspects(self, target: Machine) -> bool:
        """Every rival."""
        return not self.is_friend(target)

    def confirms(self, target: Machine) -> bool:
        """Only friends."""
        return self.is_friend(target)


class AbsentFriend(Conspirator):
    """Half of the time its machines are off, and its friends cover for it."""

    name = "absent friend"
    says = "is off half of the time and covered by friends"

    def is_up(self, draw: random.Random) -> bool:
        """Half of the time."""
        return draw.random() < 0.5

    def answered(self, target: Machine, *, is_held: bool) -> int:
        """Friends are always up."""
        return ASKED if self.is_friend(target) else super().answered(target, is_held=is_held)


class FalseHardware(Honest):
    """Stakes for the next tier with a machine that does not reach it."""

    name = "false hardware"
    says = "stakes for a tier that its machine does not reach"

    def declared(self, tier: Tier) -> Tier:
        """One higher."""
        return Tier(min(tier + 1, Tier.STRATUS))


class FalsePlace(Honest):
    """Says that it is on another continent."""

    name = "false place"
    says = "declares a country on another continent"

    def place(self, real: tuple[str, str], draw: random.Random) -> tuple[str, str]:
        """Anywhere far away."""
        return draw.choice([place for place in PLACES if place[0] != real[0]])


class Abandoner(Honest):
    """Takes leases and starts nothing."""

    name = "abandoner"
    says = "takes leases and starts nothing"

    def starts(self) -> bool:
        """Never."""
        return False


class Flapper(Honest):
    """Comes and goes."""

    name = "flapper"
    says = "is off every third epoch"

    def is_up(self, draw: random.Random) -> bool:
        """Two of three."""
        return draw.random() < 2 / 3


class Sybil(Honest):
    """One owner behind as many operators as machines; otherwise honest."""

    name = "sybil"
    says = "one owner behind many operators, honest otherwise"


BEHAVIOURS: Sequence[type[Honest]] = (
    Honest, LazyProber, SilentMember, Colluder, CarefulColluder, FalseWitness, AbsentFriend, FalseHardware, FalsePlace,
    Abandoner, Flapper, Sybil,
)  # fmt: skip
