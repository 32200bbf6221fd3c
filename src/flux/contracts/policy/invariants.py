"""What must hold of the policy after every block."""

from flux.contracts.policy.contract import Policy


def check(policy: Policy) -> list[str]:
    """Violations as sentences."""
    violations = []
    denials = [denial for _, denial in policy.state.images.items()] + [
        denial for _, denial in policy.state.apps.items()
    ]
    if any(denial.enforced_from <= denial.since for denial in denials):
        violations.append("a denial gives no notice")
    if policy.host.balance() != 0:
        violations.append(f"the contract holds {policy.host.balance()} wei and should hold none")
    return violations
