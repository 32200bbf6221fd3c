"""What must hold of rewards after every block."""

from collections import Counter
from collections.abc import Iterator

from flux.contracts.rewards import rules
from flux.contracts.rewards.contract import Rewards


def check(rewards: Rewards) -> list[str]:
    """Violations as sentences."""
    return [*check_budget(rewards), *_check_claims(rewards), *_check_open(rewards)]


def check_budget(rewards: Rewards) -> Iterator[str]:
    """Violations of the schedule; costs the same however many nodes there are."""
    pool, minted, unearned = rewards.state.pool.get(), rewards.state.minted.get(), rewards.state.unearned.get()
    elapsed = rewards.state.until.get() - rewards.state.began.get()
    allowed = rules.budget(pool, elapsed)
    if minted + unearned + rewards.state.open.get().budget > allowed:
        yield f"{minted} wei were minted, {unearned} are unearned, more is open; the schedule allows {allowed}"
    if allowed > pool:
        yield f"the schedule allows {allowed} wei of a pool of {pool}"


def _check_claims(rewards: Rewards) -> Iterator[str]:
    owed = 0
    for (account, node), claim in rewards.state.claims.items():
        record = rewards.state.nodes.find(node)
        now = 0 if record is None else record.per_share
        if claim.paid > now:
            yield f"an account was paid beyond what a share of node {node} earned"
            continue
        owed += claim.owed + rules.accrued(rewards.shares_of(account, node), claim.paid, now)
    if owed > rewards.host.balance():
        yield f"{owed} wei are owed but the contract holds {rewards.host.balance()}"


def _check_open(rewards: Rewards) -> Iterator[str]:
    open_ = rewards.state.open.get()
    totals: Counter[int] = Counter()
    nodes: Counter[int] = Counter()
    for node, record in rewards.state.nodes.items():
        if record.availability and not record.tier:
            yield f"node {node} is available in no tier"
        if record.epoch == open_.epoch and record.availability:
            totals[record.tier] += record.availability
        if record.epoch == open_.epoch and record.tier:
            nodes[record.tier] += 1
    found = tuple(totals[tier] for tier in (1, 2, 3))
    if open_.duration and found != open_.totals:
        yield f"nodes were available by {found} but the open epoch counts {open_.totals}"
    counted = tuple(nodes[tier] for tier in (1, 2, 3))
    if open_.duration and counted != open_.nodes:
        yield f"{counted} nodes were reported on but the open epoch counts {open_.nodes}"
