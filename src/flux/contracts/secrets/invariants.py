"""What must hold of secrets after every block."""

from collections.abc import Iterator

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
    violations += _check_keepers(secrets)
    if secrets.host.balance() != 0:
        violations.append(f"the contract holds {secrets.host.balance()} wei and should hold none")
    return violations


def _check_keepers(secrets: Secrets) -> Iterator[str]:
    state = secrets.state
    private = [key for key, _ in state.ciphertexts.items()]
    if [key for key, _ in state.keepings.items()] != private:
        yield "there is not one record of keepers for each private half"
    for (app, revision), keeping in state.keepings.items():
        shared, where = keeping.shared, f"app {app} revision {revision}"
        nodes = [keeper.node for keeper in shared.keepers]
        if shared.generation == rules.NOT_SHARED:
            continue
        if len(dict.fromkeys(nodes)) != len(nodes):
            yield f"{where} has two shares at one node"
        if not 1 <= shared.threshold <= len(nodes):
            yield f"{where} needs {shared.threshold} of {len(nodes)} shares"
        if any(len(keeper.box) != rules.SEALED_SEED_BYTES for keeper in shared.keepers):
            yield f"{where} has a sealed share of the wrong size"
    for (app, revision), kept in state.votes.items():
        voters = [vote.node for vote in kept.votes]
        if (app, revision) not in state.keepings or len(dict.fromkeys(voters)) != len(voters):
            yield f"the votes on the keepers of app {app} revision {revision} are not in order"
    counted = list(state.counted)
    if missing := [
        app for app in dict.fromkeys(app for app, _ in private) if app not in counted and secrets.is_active(app)
    ]:
        yield f"nobody counts the keepers of the apps {missing}"
