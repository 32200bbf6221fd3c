"""What must hold of apps after every block."""

from flux.contracts.apps.contract import Apps
from flux.contracts.apps.types import AppStatus
from flux.primitives.keccak import keccak256


def check(apps: Apps) -> list[str]:
    """Violations as sentences."""
    violations = []
    open_names = []
    open_owned = []
    expected_id = 0
    for id, app in apps.state.apps.items():
        expected_id += 1
        if id != expected_id or app.id != id:
            violations.append(f"app {app.id} is stored under {id} where {expected_id} comes next")
        revisions = [revision for (_, revision), _ in apps.state.specs.under(id.to_bytes(8, "big"))]
        if [revision for (_, revision), _ in apps.state.created.under(id.to_bytes(8, "big"))] != revisions:
            violations.append(f"when the kept revisions {revisions} of app {id} came is not known of exactly those")
        if app.revision > app.highest or any(revision > app.highest for revision in revisions):
            violations.append(
                f"app {id} is at revision {app.revision} and has {revisions}; the highest is {app.highest}"
            )
        if app.status is AppStatus.CLOSED:
            if revisions:
                violations.append(f"closed app {id} still has the specs {revisions}")
            continue
        open_names.append((app.name, id))
        open_owned.append((app.owner, id))
        current = apps.state.specs.find((id, app.revision))
        if current is None or keccak256(current) != app.spec_hash:
            violations.append(f"the current spec of app {id} is missing or not the one recorded")
        if not 1 <= app.instances <= apps.params.max_instances:
            violations.append(f"app {id} wants {app.instances} instances")
    if expected_id != apps.state.count.get():
        violations.append(f"{expected_id} apps are stored but {apps.state.count.get()} are counted")
    if sorted(open_names) != list(apps.state.names.items()):
        violations.append("the index of names does not name exactly the open apps")
    if sorted(open_owned) != [key for key, _ in apps.state.owned.items()]:
        violations.append("the index of owners does not name exactly the open apps")
    if apps.host.balance() != 0:
        violations.append(f"the contract holds {apps.host.balance()} wei that belong to the escrow")
    return violations
