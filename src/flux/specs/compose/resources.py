"""How much a service gets and how often it restarts: `deploy`, and the older keys beside it."""

from collections.abc import Callable

from flux.specs.compose.draft import Draft
from flux.specs.compose.updates import read_update
from flux.specs.field import Field
from flux.specs.quantities import parse_cpu_milli, parse_size_mib, parse_volume_mib

DEPLOY_KEYS = (
    "mode",
    "endpoint_mode",
    "replicas",
    "labels",
    "rollback_config",
    "update_config",
    "resources",
    "restart_policy",
    "placement",
)
DEPLOY_IGNORED = {
    "endpoint_mode": "is not used: the ingress spreads visitors over the instances",
    "labels": "is not used: put labels under the service itself",
    "rollback_config": "is not used: going back has the same gates as update_config sets for going forward",
}
RESTARTS = {"no": "no", "false": "no", "always": "always", "unless-stopped": "always", "on-failure": "on-failure"}
CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always"}
MIN_MEMORY_MIB = 6
"""Docker refuses less."""
MIN_CPU_MILLI = 10
MAX_REPLICAS = 1000


def read_deploy(field: Field, draft: Draft) -> None:
    known = field.known_fields(DEPLOY_KEYS)
    for name, sentence in DEPLOY_IGNORED.items():
        if name in known and not known[name].is_off:
            known[name].warn(f"{name} {sentence}")
    if "mode" in known and known["mode"].choice(("replicated", "global")) == "global":
        known["mode"].refuse("no app runs on every node: remove it, and set x-flux.instances")
    if "placement" in known and not known["placement"].is_off:
        known["placement"].refuse("nodes of this network have no labels: say where to run with x-flux.geo")
    if "replicas" in known:
        read_replicas(known["replicas"], draft)
    if "update_config" in known and not known["update_config"].is_off:
        draft.update = read_update(known["update_config"])
    if "resources" in known:
        _read_resources(known["resources"], draft)
    if "restart_policy" in known:
        _read_restart_policy(known["restart_policy"], draft)


def read_replicas(field: Field, draft: Draft) -> None:
    draft.replicas = field.integer(minimum=0, maximum=MAX_REPLICAS)
    draft.replicas_place = field


def _read_resources(field: Field, draft: Draft) -> None:
    known = field.known_fields(("limits", "reservations"))
    if "limits" in known:
        limits = known["limits"].known_fields(("cpus", "memory", "pids"))
        if "cpus" in limits:
            draft.cpu_limit = cpu(limits["cpus"])
        if "memory" in limits:
            draft.memory_limit = memory(limits["memory"])
        if "pids" in limits:
            limits["pids"].warn("pids is not used: every component has the node's limit of processes")
    if "reservations" in known:
        reserved = known["reservations"].known_fields(("cpus", "memory", "generic_resources", "devices"))
        if "cpus" in reserved:
            draft.cpu_reservation = cpu(reserved["cpus"])
        if "memory" in reserved:
            draft.memory_reservation = memory(reserved["memory"])
        if "generic_resources" in reserved and not reserved["generic_resources"].is_off:
            reserved["generic_resources"].refuse("nodes have no generic resources: ask for a GPU with devices")
        for device in reserved["devices"].items() if "devices" in reserved else ():
            _read_device(device, draft)


def _read_device(field: Field, draft: Draft) -> None:
    known = field.known_fields(("driver", "count", "device_ids", "capabilities", "options"))
    capabilities = known["capabilities"].texts() if "capabilities" in known else []
    if "gpu" not in capabilities:
        field.refuse("only GPUs can be reserved: write capabilities: [gpu]")
        return
    if "device_ids" in known:
        known["device_ids"].refuse("devices of a node have no names here: write count: 1 instead")
        return
    count = known.get("count")
    draft.gpu_place = field
    if count is not None and count.scalar_text() == "all":
        count.warn("the number of GPUs differs between nodes: one is asked for; write the number")
        draft.gpu_count = 1
    else:
        draft.gpu_count = (count.integer(minimum=1, maximum=16) or 0) if count is not None else 1
    field.honour(f"{draft.gpu_count} GPU: only nodes that have it are considered; x-flux.gpu names a model")


def _read_restart_policy(field: Field, draft: Draft) -> None:
    known = field.known_fields(("condition", "delay", "max_attempts", "window"))
    for name in ("delay", "max_attempts", "window"):
        if name in known:
            known[name].warn(f"{name} is not used: a component that fails again and again waits longer each time")
    if "condition" in known:
        condition = known["condition"].choice(tuple(CONDITIONS))
        draft.restart = CONDITIONS[condition] if condition else draft.restart
    else:
        draft.restart = "always"


def read_restart(field: Field, draft: Draft) -> None:
    text = "no" if field.is_null else field.text(what="one of no, always, on-failure, unless-stopped")
    if text is None:
        return
    word, _, attempts = text.partition(":")
    if word.lower() not in RESTARTS or (attempts and word != "on-failure"):
        field.refuse(f"{text[:40]!r} is not one of no, always, on-failure, unless-stopped")
        return
    if attempts:
        field.warn("the number of attempts is not used: a component that fails again and again waits longer each time")
    if draft.restart is None:
        draft.restart = RESTARTS[word.lower()]
    field.honour(f"restarted: {draft.restart}")


def cpu(field: Field) -> int | None:
    """Milli-cores, at least 10."""
    milli = field.quantity(parse_cpu_milli, what="a number of cores such as 0.5")
    if milli is not None and milli < MIN_CPU_MILLI:
        field.refuse("a component needs at least 0.01 cores")
        return None
    return milli


def memory(field: Field) -> int | None:
    """MiB, at least 6."""
    size = field.quantity(parse_size_mib, what="a size such as 512m")
    if size is not None and size < MIN_MEMORY_MIB:
        field.refuse(f"a component needs at least {MIN_MEMORY_MIB} MiB of memory")
        return None
    return size


def size(field: Field, parse: Callable[[str], int] = parse_size_mib) -> int | None:
    """MiB of any size but zero."""
    parsed = field.quantity(parse, what="a size such as 64m")
    if parsed == 0:
        field.refuse("a size of 0 is no size: leave the key out")
        return None
    return parsed


def volume_size(field: Field) -> int | None:
    """MiB of a volume."""
    return size(field, parse_volume_mib)
