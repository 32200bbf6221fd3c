"""What must hold of a soak, as functions of what was seen: pure, each gives the sentences of what was broken."""

import statistics
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from flux.agent.plan import TELL_AGAIN
from flux.agent.restarts import BACK_OFF
from flux.contracts.market.types import LeaseState
from support.soak.clients import Ack
from support.soak.eyes import Sight, Weight
from support.soak.processes import Spot

UNSERVED_BOUND = 25.0 + TELL_AGAIN
"""Seconds that a lease may be paid for without a living process: a fault that only the machine's own supervisor can
mend (12 s at most), the start of what it mended, and the report that the instance waits, said again if it was lost."""
TWICE_BOUND = 2.0
"""Seconds for which an instance of which one may run may seem to be on two nodes: these are looked at one by one."""
HANDOVER = 2.0
"""Seconds after an instance's first answer in which its predecessor may still answer: the lag of an ingress."""
STEEP = 1.0
"""Percent of growth in ten minutes."""
LONG_ENOUGH = 360.0
"""Seconds over which a slope means something."""
WINDOW = 60.0
"""Seconds between two values of which the growth is taken."""
FEWEST = 20
FOREIGN = ("caddy", "dockerd", "containerd")
FOREIGN_MEMORY = 12 << 20
"""Bytes by which a program in Go may grow, whose heap takes that long to find its size after a start."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What is taken for no growth."""

    warm: float
    """Seconds of a process that do not count."""
    memory: int
    """Bytes."""
    descriptors: int


AT_WORK = Patience(300.0, 512 << 10, 2)
"""Of processes that nothing is done to."""
AMONG_FAULTS = Patience(120.0, 8 << 20, 4)
"""Of those that are killed before they are old: an agent takes some megabytes more when it first measures or is
measured, in steps that may lie minutes apart."""


def is_settled(sight: Sight, wanted: Mapping[str, int]) -> bool:
    """Every app has its count, and lives where the chain says and nowhere else, or waits unpaid after crashes."""
    if sight.leases is None:
        return False
    running = sight.spots(LeaseState.RUNNING)
    still_open = sight.spots(LeaseState.ASSIGNED, LeaseState.SUSPECT)
    counts = {name: sum(spot[0] == name for spot in running | sight.spots(LeaseState.STALLED)) for name in wanted}
    return counts == dict(wanted) and not still_open and sight.alive == running and not sight.doubled


def unsettled(sight: Sight, wanted: Mapping[str, int]) -> str:
    """What is missing, for people."""
    if sight.leases is None:
        return "the chain does not answer"
    still_open = [
        f"{name}: {lease.state.name.lower()} {lease.ordinal} on node {lease.node}"
        for name, leases in sight.leases.items()
        for lease in leases
        if lease.state is not LeaseState.CLOSED
    ]
    processes = f"processes {sorted(sight.alive)}, twice {sorted(sight.doubled)}"
    return f"wanted {dict(wanted)}, leases {sorted(still_open)}, {processes}"


def unserved(sights: Sequence[Sight]) -> list[str]:
    """Leases that were paid for longer than the bound while nothing of them lived."""
    broken = []
    since: dict[Spot, float] = {}
    told: set[Spot] = set()
    for sight in sights:
        if sight.leases is None:
            # What is charged while nobody can look is seen in the sum.
            continue
        running = sight.spots(LeaseState.RUNNING)
        for spot in set(since) - running:
            del since[spot]
            told.discard(spot)
        for spot in running:
            if spot in sight.alive:
                since.pop(spot, None)
                continue
            begun = since.setdefault(spot, sight.at)
            if sight.at - begun > UNSERVED_BOUND and spot not in told:
                told.add(spot)
                broken.append(f"{_named(spot)} was charged for {sight.at - begun:.0f} s without a process")
    return broken


def idle(sights: Sequence[Sight], hits: Mapping[Spot, int]) -> list[str]:
    """Leases that stalled for longer than the back-off after as many crashes as there were faults of the instance.

    One crash more is allowed for: a full disk or a lost node ends containers too.
    """
    broken = []
    since: dict[Spot, float] = {}
    told: set[Spot] = set()
    for sight in sights:
        if sight.leases is None:
            continue
        stalled = sight.spots(LeaseState.STALLED)
        since = {spot: at for spot, at in since.items() if spot in stalled}
        for spot in stalled:
            waited = sight.at - since.setdefault(spot, sight.at)
            if waited > BACK_OFF[min(hits.get(spot, 0), len(BACK_OFF) - 1)] + UNSERVED_BOUND and spot not in told:
                told.add(spot)
                broken.append(f"{_named(spot)} was not started for {waited:.0f} s after {hits.get(spot, 0)} faults")
    return broken


def on_two_nodes(sights: Sequence[Sight], names: Collection[str]) -> list[str]:
    """Instances of apps that ask for at-most-one which lived on two nodes for longer than the bound."""
    broken = []
    since: dict[tuple[str, int], float] = {}
    for sight in sights:
        nodes: dict[tuple[str, int], set[int]] = defaultdict(set)
        for name, node, ordinal in sight.alive:
            if name in names:
                nodes[name, ordinal].add(node)
        twice = {instance: found for instance, found in nodes.items() if len(found) > 1}
        since = {instance: at for instance, at in since.items() if instance in twice}
        for instance, found in twice.items():
            begun = since.setdefault(instance, sight.at)
            if begun < sight.at - TWICE_BOUND:
                since[instance] = float("inf")
                broken.append(f"instance {instance[1]} of {instance[0]} runs on nodes {sorted(found)} at once")
    return broken


def interrupted(sights: Sequence[Sight], name: str) -> list[str]:
    """Instances of an app that lived at first and of which nothing did at some later moment."""
    living = [{ordinal for app, _, ordinal in sight.alive if app == name} for sight in sights]
    missing = {ordinal for found in living for ordinal in living[0] - found}
    return [f"instance {ordinal} of {name} was interrupted" for ordinal in sorted(missing)]


def overcharged(sights: Sequence[Sight], apps: Mapping[str, int], interruptions: int) -> list[str]:
    """Apps that paid for more than the seconds in which their processes lived, and the bound for each interruption."""
    broken = []
    seen = [sight for sight in sights if sight.charged is not None and sight.leases is not None]
    for name, count in apps.items():
        rates = [lease.rate for sight in seen for lease in (sight.leases or {})[name]]
        if not rates or seen[0].charged is None or seen[-1].charged is None:
            continue
        paid = (seen[-1].charged[name] - seen[0].charged[name]) / max(rates)
        lived = 0.0
        for before, after in pairwise(sights):
            lived += (after.at - before.at) * sum(spot[0] == name for spot in before.alive)
        allowed = lived + interruptions * count * UNSERVED_BOUND
        if paid > allowed:
            broken.append(f"{name} paid for {paid:.0f} instance-seconds and had {lived:.0f}")
    return broken


def two_writers(acks: Sequence[Ack]) -> list[str]:
    """Acknowledgements of a program's start that had been succeeded by another one before they were asked for."""
    broken = []
    first: dict[str, float] = {}
    for ack in sorted(acks, key=lambda ack: ack.ended):
        first.setdefault(ack.boot, ack.ended)
    order = sorted(first, key=lambda boot: first[boot])
    for ack in acks:
        later = [first[boot] for boot in order[order.index(ack.boot) + 1 :]]
        if later and ack.began > min(later) + HANDOVER:
            broken.append(
                f"write {ack.line} was taken on node {ack.node} {ack.began - min(later):.1f} s after another took over"
            )
    return broken


def lost_writes(acks: Iterable[Ack], found: Mapping[int, Collection[str]]) -> list[str]:
    """Acknowledged writes that are not on the volume of the node that took them. `found`: lines by node."""
    missing: dict[int, list[str]] = defaultdict(list)
    for ack in acks:
        if ack.line not in found.get(ack.node, ()):
            missing[ack.node].append(ack.line)
    return [
        f"node {node} lost {len(lines)} acknowledged writes: {', '.join(lines[:5])} …"
        for node, lines in missing.items()
    ]


def lost_volumes(before: Collection[tuple[int, str]], now: Collection[tuple[int, str]]) -> list[str]:
    """Volumes, by node and name, that were there and are not."""
    return [f"volume {name} of node {node} is gone" for node, name in sorted(set(before) - set(now))]


def growing(weights: Mapping[tuple[str, int], Sequence[Weight]], patience: Patience) -> list[str]:
    """Processes that lived long enough to tell and hold more and more, memory or descriptors."""
    broken = []
    for (name, pid), weighed in weights.items():
        alive = [weight for weight in weighed if weight.private > 0]
        seen = [weight for weight in alive if weight.at - alive[0].at > patience.warm]
        if len(seen) < FEWEST or seen[-1].at - seen[0].at < LONG_ENOUGH:
            continue
        memory = FOREIGN_MEMORY if name.startswith(FOREIGN) else patience.memory
        for what, values, noise in (
            ("memory", [float(weight.private) for weight in seen], memory),
            ("descriptors", [float(weight.descriptors) for weight in seen], patience.descriptors),
        ):
            times = [weight.at for weight in seen]
            slope = percent_in_ten_minutes(times, values)
            grown = slope / 100 * statistics.median(values) * (times[-1] - times[0]) / 600
            if slope > STEEP and min(grown, risen(values)) > noise:
                broken.append(
                    f"{what} of {name} ({pid}) grows by {slope:.1f} % in ten minutes:"
                    f" {values[0]:.0f} → {values[-1]:.0f}"
                )
    return broken


def risen(values: Sequence[float]) -> float:
    """By how much the last quarter lies above the first: what goes up and down again has steep windows too."""
    quarter = max(1, len(values) // 4)
    return statistics.median(values[-quarter:]) - statistics.median(values[:quarter])


def percent_in_ten_minutes(times: Sequence[float], values: Sequence[float]) -> float:
    """The mean of the growths in all windows without the largest and the smallest quarter: few steps do not move it."""
    growths = []
    for at, value in zip(times, values, strict=True):
        later = bisect_left(times, at + WINDOW)
        if later < len(times):
            growths.append((values[later] - value) / (times[later] - at))
    growths.sort()
    quarter = len(growths) // 4
    return 100 * 600 * statistics.fmean(growths[quarter : len(growths) - quarter]) / max(1.0, statistics.median(values))


def _named(spot: Spot) -> str:
    return f"instance {spot[2]} of {spot[0]} on node {spot[1]}"
