"""What must hold of the escrow after every block."""

from collections.abc import Iterator

from flux.contracts.escrow import rules
from flux.contracts.escrow.contract import Escrow
from flux.contracts.escrow.types import NOTHING, Accrual, EscrowAccount
from flux.contracts.oracle.types import METER_UNIT, Meter


def check(escrow: Escrow) -> list[str]:
    """Violations as sentences."""
    violations: list[str] = []
    held = 0
    for app, account in escrow.state.accounts.items():
        held += rules.total(account.deposits)
        accruals = [accrual for _, accrual in escrow.state.accruals.under(app.to_bytes(8, "big"))]
        violations += [f"account {app}: {problem}" for problem in check_account(account, accruals)]
        violations += [f"account {app}: {problem}" for problem in _check_dollars(escrow, account, accruals)]
        if len(account.deposits) > escrow.params.max_deposits:
            violations.append(f"account {app}: {len(account.deposits)} deposits")
    violations += [
        f"app {app} accrues for lease {lease} without an account"
        for (app, lease), _ in escrow.state.accruals.items()
        if app not in escrow.state.accounts
    ]
    if escrow.host.balance() != held:
        violations.append(f"the deposits sum to {held} wei but the contract holds {escrow.host.balance()}")
    return violations


def check_account(account: EscrowAccount, accruals: list[Accrual]) -> Iterator[str]:
    """Violations of one account, whose open accruals are these."""
    rate = sum(accrual.rate for accrual in accruals)
    owed = sum(rules.own_part(account, accrual) for accrual in accruals)
    usd_rate = sum(accrual.usd_rate for accrual in accruals)
    usd_owed = sum(rules.own_parts(account, accrual) for accrual in accruals)
    if account.rate != rate:
        yield f"its rate is {account.rate} but its leases sum to {rate}"
    if account.owed != owed:
        yield f"it owes {account.owed} but its leases are owed {owed}"
    if account.usd_rate != usd_rate:
        yield f"its rate in dollars is {account.usd_rate} but its leases sum to {usd_rate}"
    if account.usd_owed != usd_owed:
        yield f"it owes {account.usd_owed} parts of a wei but its leases in dollars are owed {usd_owed}"
    if any(accrual.paid_until > account.settled_at for accrual in accruals):
        yield "a lease was paid for time to come"
    if any(deposit.remaining == 0 for deposit in account.deposits):
        yield "it keeps an empty deposit"
    if rules.parts_left(account) < 0:
        yield f"it owes {account.owed}, more than its {rules.total(account.deposits)}"
        return
    if account.usd_rate:
        return
    dry_at, _ = rules.depletion(account, Meter(account.settled_at, NOTHING, NOTHING))
    if account.depletes_at not in (rules.NO_TIME, dry_at):
        yield f"it depletes at {dry_at} but {account.depletes_at} is scheduled"
    if account.rate and not account.depletes_at:
        yield "it accrues but its depletion is not scheduled"


def _check_dollars(escrow: Escrow, account: EscrowAccount, accruals: list[Accrual]) -> Iterator[str]:
    """Of accounts with leases in dollars, that they are looked at before they can owe what they do not have."""
    queued = [index for index, app in escrow.state.by_index if app == account.app]
    if queued != ([account.depletes_index] if account.depletes_index else []):
        yield f"it is looked at when the meter reads {account.depletes_index} but {queued} are queued"
    if not account.usd_rate:
        return
    if account.rate and bool(account.depletes_at) != bool(account.depletes_index):
        yield "it accrues in both currencies and is watched in one"
    if any(accrual.usd_rate and accrual.paid_index > account.settled_index for accrual in accruals):
        yield "a lease in dollars was paid for a reading to come"
    meter = escrow.meter_now()
    is_awaited = 0 < escrow.state.wake_at.get() <= meter.at or 0 < account.depletes_at <= meter.at
    behind = meter.at - account.settled_at
    spent = account.usd_rate * (meter.index - account.settled_index) + account.rate * behind * METER_UNIT
    if spent > rules.parts_left(account) and not is_awaited:
        yield "it owes more than it has and nobody is about to look"
