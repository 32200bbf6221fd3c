"""What must hold of parameters after every block."""

from flux.contracts.parameters import rules
from flux.contracts.parameters.contract import Parameters
from flux.kernel.errors import Revert


def check(parameters: Parameters) -> list[str]:
    """Violations as sentences."""
    violations = []
    overrides = parameters.overrides()
    upgrades = [upgrade for _, upgrade in parameters.state.upgrades.items()]
    if parameters.state.digest.get() != rules.digest(overrides, upgrades):
        violations.append("the digest is not that of the changes")
    for path, value in overrides.items():
        try:
            parameters.bounds.check(path, value, overrides)
        except Revert as error:
            violations.append(f"a change that is refused is in force: {error}")
    numbers = [number for number, _ in parameters.state.upgrades.items()]
    if numbers != list(range(1, len(numbers) + 1)):
        violations.append(f"the upgrades are numbered {numbers}")
    if [upgrade.since for upgrade in upgrades] != sorted({upgrade.since for upgrade in upgrades}):
        violations.append("the upgrades are not in the order of their times")
    if parameters.host.balance() != 0:
        violations.append(f"the contract holds {parameters.host.balance()} wei and should hold none")
    return violations
