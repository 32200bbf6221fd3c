"""What must hold of votes after every block."""

from collections.abc import Iterator

from flux.contracts.votes import rules
from flux.contracts.votes.contract import Votes
from flux.primitives.types import Address


def check(votes: Votes) -> list[str]:
    """Violations as sentences."""
    return [*_check_money(votes), *_check_power(votes)]


def _check_money(votes: Votes) -> Iterator[str]:
    holdings = dict(votes.state.holdings.items())
    ways: dict[Address, int] = {}
    back = 0
    for _, entry in votes.state.unlocks.items():
        back += entry.amount
        ways[entry.account] = ways.get(entry.account, 0) + 1
    locked = sum(holding.locked for holding in holdings.values())
    if votes.host.balance() != locked + back:
        yield f"{locked} wei are locked and {back} on their way back, but the contract holds {votes.host.balance()}"
    for account, holding in holdings.items():
        if holding.held > holding.locked:
            yield f"0x{account.hex()} has {holding.locked} wei locked and {holding.held} held"
        if holding.unlocks != ways.pop(account, 0):
            yield f"0x{account.hex()} counts {holding.unlocks} amounts on their way back"
    for account in ways:
        yield f"0x{account.hex()} has amounts on their way back and counts none"


def _check_power(votes: Votes) -> Iterator[str]:
    """Power follows holdings and delegations, and nothing is voted twice."""
    expected: dict[Address, int] = {}
    for account, holding in votes.state.holdings.items():
        delegate = votes.state.delegates.find(account) or account
        expected[delegate] = expected.get(delegate, 0) + rules.units(holding)
    latest: dict[Address, int] = {}
    for (account, _), checkpoint in votes.state.checkpoints.items():
        latest[account] = checkpoint.votes
    power = {account: amount for account, amount in latest.items() if amount}
    if power != {account: amount for account, amount in expected.items() if amount}:
        yield "the delegates' power is not the sum of what was delegated to them"
    total = 0
    for _, checkpoint in votes.state.totals.items():
        total = checkpoint.votes
    if total != sum(expected.values()):
        yield f"all power is {total} and the holdings sum to {sum(expected.values())}"
