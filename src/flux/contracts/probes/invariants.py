"""What must hold of the probes after every block."""

from collections import Counter

from flux.contracts.probes.contract import Probes
from flux.contracts.probes.rules import MILLION


def check(probes: Probes) -> list[str]:
    """Violations as sentences."""
    problems = []
    suspects = list(probes.state.suspects)
    for node, suspicion in probes.state.suspicions.items():
        if suspicion.node != node:
            problems.append(f"the suspicion under node {node} names node {suspicion.node}")
        if len(set(suspicion.votes)) != len(suspicion.votes):
            problems.append(f"a member voted twice against node {node}")
        if len(set(suspicion.confirmations)) != len(suspicion.confirmations):
            problems.append(f"a member confirmed node {node} twice")
        if node in suspicion.votes:
            problems.append(f"node {node} voted against itself")
        if bool(suspicion.suspected_at) != (node in suspects):
            problems.append(f"node {node} is in stage two by one record only")
        waits = (suspicion.suspected_at, node) in probes.state.waiting
        if suspicion.suspected_at and waits == bool(suspicion.closes_at):
            problems.append(f"the suspicion of node {node} has an end and waits, or neither")
        if suspicion.closes_at and suspicion.closes_at <= suspicion.suspected_at:
            problems.append(f"the suspicion of node {node} ends before it began")
    for node, found in probes.state.availabilities.items():
        reporters = [seen.reporter for seen in found.seen]
        if len(set(reporters)) != len(reporters):
            problems.append(f"a member reported twice on node {node}")
        if node in reporters:
            problems.append(f"node {node} reported on itself")
        if not reporters or not set(reporters) <= set(found.committee):
            problems.append(f"reports on node {node} are of {reporters}, and its committee is {found.committee}")
    for node, conduct in probes.state.conducts.items():
        if not 0 < max(conduct.duty, conduct.starts) <= MILLION:
            problems.append(f"the conduct of node {node} is kept as {conduct.duty} and {conduct.starts}")
    problems += [
        f"suspect node {node} has no record" for node in suspects if probes.state.suspicions.find(node) is None
    ]
    return problems + _check_brake(probes)


def _check_brake(probes: Probes) -> list[str]:
    problems = []
    state = probes.state
    waiting = list(state.waiting)
    for since, node in waiting:
        suspicion = state.suspicions.find(node)
        if suspicion is None or suspicion.suspected_at != since:
            problems.append(f"node {node} waits at the brake and is not suspect since {since}")
    if (bool(waiting) or state.brake.get().since) and not state.turn_at.get():
        problems.append("somebody waits at the brake, or it holds, and no turn is scheduled")
    recent = list(state.recent)
    if sorted(recent) != sorted((kind, at, node) for (kind, node), at in state.recent_at.items()):
        problems.append("what happened to nodes within the last minute differs between its two indices")
    found, counted = Counter(kind for kind, _, _ in recent), dict(state.recent_count.items())
    if found != counted:
        problems.append(f"within the last minute something happened to {dict(found)} nodes by kind but {counted} count")
    return problems
