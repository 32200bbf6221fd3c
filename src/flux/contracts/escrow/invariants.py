"""What must hold of the escrow after every block."""

from collections.abc import Iterator

from flux.contracts.escrow import rules
from flux.contracts.escrow.contract import Escrow
from flux.contracts.escrow.types import Accrual, EscrowAccount


def check(escrow: Escrow) -> list[str]:
    """Violations as sentences."""
    violations: list[str] = []
    held = 0
    for app, account in escrow.state.accounts.items():
        held += rules.total(account.deposits)
        accruals = [accrual for _, accrual in escrow.state.accruals.under(app.to_bytes(8, "big"))]
        violations += [f"account {app}: {problem}" for problem in check_account(account, accruals)]
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
    if account.rate != rate:
        yield f"its rate is {account.rate} but its leases sum to {rate}"
    if account.owed != owed:
        yield f"it owes {account.owed} but its leases are owed {owed}"
    if any(accrual.paid_until > account.settled_at for accrual in accruals):
        yield "a lease was paid for time to come"
    if any(deposit.remaining == 0 for deposit in account.deposits):
        yield "it keeps an empty deposit"
    if account.owed > rules.total(account.deposits):
        yield f"it owes {account.owed}, more than its {rules.total(account.deposits)}"
        return
    if account.depletes_at not in (rules.NO_TIME, rules.depletion(account)):
        yield f"it depletes at {rules.depletion(account)} but {account.depletes_at} is scheduled"
    if account.rate and not account.depletes_at:
        yield "it accrues but its depletion is not scheduled"
