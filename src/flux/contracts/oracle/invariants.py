"""What must hold of the oracle after every block."""

from flux.contracts.oracle import rules
from flux.contracts.oracle.contract import Oracle


def check(oracle: Oracle) -> list[str]:
    """Violations as sentences."""
    violations = []
    feeders = list(oracle.state.feeders.items())
    bonds = sum(feeder.bond for _, feeder in feeders) + sum(entry.amount for _, entry in oracle.state.leaving.items())
    if oracle.host.balance() != bonds:
        violations.append(f"the bonds sum to {bonds} wei but the contract holds {oracle.host.balance()}")
    numbers = [feeder.number for _, feeder in feeders]
    if len(set(numbers)) != len(numbers) or max(numbers, default=0) > oracle.state.last_feeder.get():
        violations.append(f"the feeders are numbered {numbers}")
    for address, feeder in feeders:
        if feeder.price and not (feeder.bond and rules.LOWEST <= feeder.price <= rules.HIGHEST):
            violations.append(f"feeder 0x{address.hex()} reported {feeder.price} with a bond of {feeder.bond} wei")
    price = oracle.state.price.get()
    if not price.frozen and not price.value:
        violations.append("there is no price and it is not frozen")
    return violations
