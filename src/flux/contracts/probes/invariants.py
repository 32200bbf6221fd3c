"""What must hold of the probes after every block."""

from flux.contracts.probes.contract import Probes


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
        if suspicion.suspected_at and suspicion.closes_at <= suspicion.suspected_at:
            problems.append(f"the suspicion of node {node} has no end")
    for node, found in probes.state.availabilities.items():
        reporters = [seen.reporter for seen in found.seen]
        if len(set(reporters)) != len(reporters):
            problems.append(f"a member reported twice on node {node}")
        if node in reporters:
            problems.append(f"node {node} reported on itself")
    problems += [
        f"suspect node {node} has no record" for node in suspects if probes.state.suspicions.find(node) is None
    ]
    return problems
