"""What must hold of the oracle after every block."""

from itertools import pairwise

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
    meter, readings = oracle.state.meter.get(), list(oracle.state.readings.items())
    if readings and readings[-1] != (meter.at, meter):
        violations.append("the meter is not its last reading")
    if bool(price.value) != bool(meter.pace) or (price.value and meter.pace != rules.pace_of(price.value)):
        violations.append(f"the meter runs at {meter.pace}, not at the price of {price.value}")
    for (_, before), (time, after) in pairwise(readings):
        if rules.advance(before, time).index != after.index:
            violations.append(f"the meter jumped at {time}")
    return violations
