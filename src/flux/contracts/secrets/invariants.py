"""What must hold of secrets after every block."""

from flux.contracts.secrets import rules
from flux.contracts.secrets.contract import Secrets


def check(secrets: Secrets) -> list[str]:
    """Violations as sentences."""
    violations = []
    for lease, kept in secrets.state.boxes.items():
        if not secrets.is_open(lease):
            violations.append(f"lease {lease} is closed but its boxes are kept")
        givers = [box.giver for box in kept.boxes]
        if len(dict.fromkeys(givers)) != len(givers):
            violations.append(f"lease {lease} has two boxes of one giver")
        if not 1 <= len(givers) <= secrets.params.max_boxes + 1:
            violations.append(f"lease {lease} has {len(givers)} boxes")
        if any(len(box.data) != rules.SEALED_SEED_BYTES for box in kept.boxes):
            violations.append(f"lease {lease} has a box of the wrong size")
    if secrets.host.balance() != 0:
        violations.append(f"the contract holds {secrets.host.balance()} wei and should hold none")
    return violations
