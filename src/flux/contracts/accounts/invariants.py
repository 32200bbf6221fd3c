"""What must hold of the supply after every block."""

from flux.contracts.accounts.contract import Accounts
from flux.primitives.types import Wei


def check(accounts: Accounts) -> list[str]:
    """Violations as sentences."""
    minted, burned = accounts.state.minted.get(), accounts.state.burned.get()
    violations = []
    if burned > minted:
        violations.append(f"{burned} wei were burned but only {minted} were ever minted")
    if minted - burned > accounts.params.cap:
        violations.append(f"minted − burned is {minted - burned} wei and passes the cap of {accounts.params.cap}")
    return violations


def check_total(accounts: Accounts, held: Wei) -> list[str]:
    """Compare with the sum of all balances, which only the whole state knows."""
    supply = accounts.state.minted.get() - accounts.state.burned.get()
    return [] if held == supply else [f"all accounts together hold {held} wei but minted − burned is {supply}"]
