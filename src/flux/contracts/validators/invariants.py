"""What must hold of the validators after every block."""

from flux.contracts.validators import rules
from flux.contracts.validators.contract import Validators


def check(validators: Validators) -> list[str]:
    """Violations as sentences."""
    problems = []
    for address, key in validators.state.keys.items():
        if address != rules.consensus_address(key.public_key):
            problems.append(f"the key {key.public_key.hex()} is stored under another address")
    for address, seat in validators.state.seats.items():
        if seat.power == 0:
            problems.append(f"validator {address.hex()} has a seat without power")
        known = validators.state.keys.find(address)
        if known is None or known.public_key != seat.public_key:
            problems.append(f"nobody answers for validator {address.hex()}")
    return problems
