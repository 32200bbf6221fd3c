"""What must hold of the validators after every block."""

from flux.contracts.validators import rules
from flux.contracts.validators.contract import Validators
from flux.contracts.validators.types import ValidatorStatus


def check(validators: Validators) -> list[str]:
    """Violations as sentences."""
    return [*_check_keys(validators), *_check_seats(validators), *_check_nodes(validators)]


def _check_keys(validators: Validators) -> list[str]:
    problems = []
    state = validators.state
    retired = {address: time for time, address in state.retired}
    for address, key in state.keys.items():
        if address != rules.consensus_address(key.public_key):
            problems.append(f"the key {key.public_key.hex()} is stored under another address")
        if not key.tombstoned and retired.get(address, 0) != key.retired_at:
            problems.append(
                f"the key {address.hex()} retired at {key.retired_at} but waits since {retired.get(address)}"
            )
        if key.tombstoned and address in retired:
            problems.append(f"the tombstoned key {address.hex()} would be forgotten")
    for address in retired:
        if address not in state.keys:
            problems.append(f"the key {address.hex()} waits to be forgotten and is not known")
    return problems


def _check_seats(validators: Validators) -> list[str]:
    problems = []
    state = validators.state
    for address, seat in state.seats.items():
        known = state.keys.find(address)
        if seat.power == 0:
            problems.append(f"validator {address.hex()} has a seat without power")
        if known is None or known.public_key != seat.public_key:
            problems.append(f"nobody answers for validator {address.hex()}")
    if list(state.touched.items()):
        problems.append("the engine was not told of all changes")
    return problems


def _check_nodes(validators: Validators) -> list[str]:
    problems = []
    state = validators.state
    used: set[bytes] = set()
    for node, validator in state.validators.items():
        key = state.keys.find(validator.consensus)
        if validator.node != node:
            problems.append(f"the record under node {node} names node {validator.node}")
        if validator.status is ValidatorStatus.TOMBSTONED:
            continue
        if key is None or key.node != node or key.tombstoned or key.retired_at:
            problems.append(f"validator {node} has no key that answers for it")
        if validator.consensus in used:
            problems.append(f"validator {node} shares its key")
        used.add(validator.consensus)
        if bool(validator.jailed_until) != (validator.status is ValidatorStatus.JAILED):
            problems.append(f"validator {node} is {validator.status.name} until {validator.jailed_until}")
        if validator.revealed_next > state.epoch.get() + 1:
            problems.append(f"validator {node} revealed in an epoch to come")
    return problems
