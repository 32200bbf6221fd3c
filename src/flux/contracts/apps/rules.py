"""Pure decisions of the apps contract: names, whole specs, and which status allows what."""

import re
from collections.abc import Collection

from flux.contracts.apps.component_rules import (
    MAX_ENTRIES,
    check_component,
    check_range,
    check_unique,
    check_word,
    printable,
    refuse,
    shown,
)
from flux.contracts.apps.types import (
    MAX_PARALLELISM,
    MAX_STANDBY,
    MAX_UPDATE_SECONDS,
    UPDATE_ACTIONS,
    UPDATE_ORDERS,
    AppsParams,
    AppSpec,
    AppStatus,
    Constraints,
    InvalidInstances,
    InvalidName,
    InvalidSpec,
    Revision,
    Update,
    decode_spec,
)
from flux.primitives import geo
from flux.primitives.types import U16

ARCHITECTURES = ("amd64", "arm64")
SPREADS = ("operator", "prefix", "country", "none")
MAX_GEO_RULES = 10
MAX_TIER = 3
MAX_PRICE = 2**53
"""Of one instance and hour, in billionths of a FLUX or of a dollar."""
MAX_GPUS = 64
MAX_GPU_MODEL_LENGTH = 64
MAX_PAGE = 1_000
MAX_NAME_SHOWN = 80
MAX_REASON = 200

OPEN = (AppStatus.ACTIVE, AppStatus.PAUSED, AppStatus.DEPLETED)

_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}", re.ASCII)
_GPU_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]*", re.ASCII)


def check_name(name: str) -> None:
    """An app's name is a DNS label that begins with a letter. Raises InvalidName."""
    if not _NAME.fullmatch(name):
        raise InvalidName(printable(name[:MAX_NAME_SHOWN]))


def check_instances(instances: int, params: AppsParams) -> None:
    """Raises InvalidInstances."""
    if not 1 <= instances <= params.max_instances:
        raise InvalidInstances(U16(instances), params.max_instances)


def check_spec(data: bytes, params: AppsParams) -> AppSpec:
    """The spec of bytes from outside. Raises InvalidSpec with the first reason against it."""
    if len(data) > params.max_spec_bytes:
        raise InvalidSpec(f"it has {len(data)} bytes; at most {params.max_spec_bytes} are allowed")
    try:
        spec = decode_spec(data)
    except ValueError as error:
        raise InvalidSpec(printable(str(error)[:MAX_REASON])) from error
    if not 1 <= len(spec.components) <= params.max_components:
        raise InvalidSpec(f"it has {len(spec.components)} components; 1 to {params.max_components} are allowed")
    _check_volumes(spec)
    for component in spec.components:
        check_component(component, spec)
    check_unique("the spec", "component", [component.name for component in spec.components])
    _check_order(spec)
    _check_http(spec)
    _check_constraints(spec.constraints)
    if spec.update is not None:
        _check_update(spec.update, has_volumes=bool(spec.volumes))
    check_range("the spec", "standby", spec.standby, 0, MAX_STANDBY)
    _check_totals(spec, params)
    return spec


def check_ciphertext(spec: AppSpec, ciphertext: bytes, params: AppsParams) -> None:
    """There is a ciphertext exactly when the spec says so. Raises InvalidSpec."""
    if spec.private != bool(ciphertext):
        raise InvalidSpec(
            "it says that a private half exists, but none was sent"
            if spec.private
            else "a private half was sent, but it says that there is none"
        )
    if len(ciphertext) > params.max_ciphertext_bytes:
        raise InvalidSpec(
            f"the private half has {len(ciphertext)} bytes; at most {params.max_ciphertext_bytes} are allowed"
        )


def is_kept(revision: Revision, highest: Revision, kept: int, in_use: Collection[Revision]) -> bool:
    """Whether a revision's spec stays: the newest `kept` do, and all that are in use."""
    return revision + kept > highest or revision in in_use


def page_limit(limit: int) -> int:
    """How many entries one page returns."""
    return min(limit, MAX_PAGE)


def _check_volumes(spec: AppSpec) -> None:
    if len(spec.volumes) > MAX_ENTRIES:
        refuse("the spec", f"it has {len(spec.volumes)} volumes; at most {MAX_ENTRIES} are allowed")
    for volume in spec.volumes:
        if not _VOLUME.fullmatch(volume.name):
            refuse(f"volume {shown(volume.name)}", "the name is not 1–63 letters, digits and inner _ . -")
        if volume.size_mib < 1:
            refuse(f"volume {volume.name}", "the size must be at least 1 MiB")
    check_unique("the spec", "volume", [volume.name for volume in spec.volumes])


def _check_order(spec: AppSpec) -> None:
    """Components start one after another: each round starts those whose dependencies have started."""
    waiting = {
        component.name: [dependency.component for dependency in component.depends_on] for component in spec.components
    }
    while ready := [name for name, needs in waiting.items() if not any(need in waiting for need in needs)]:
        for name in ready:
            del waiting[name]
    if waiting:
        refuse("the spec", f"the components {', '.join(waiting)} wait for each other in a circle")


def _check_http(spec: AppSpec) -> None:
    if spec.http is None:
        return
    for component in spec.components:
        if component.name == spec.http.component:
            if not any(port.container == spec.http.port and port.protocol == "tcp" for port in component.ports):
                refuse("http", f"component {component.name} does not offer the tcp port {spec.http.port}")
            return
    refuse("http", f"there is no component {shown(spec.http.component)}")


def _check_constraints(constraints: Constraints) -> None:
    where = "constraints"
    if len(constraints.geo) > MAX_GEO_RULES:
        refuse(where, f"{len(constraints.geo)} geo rules; at most {MAX_GEO_RULES} are allowed")
    for rule in constraints.geo:
        try:
            geo.parse(rule)
        except geo.GeoError as error:
            refuse(where, str(error))
    check_range(where, "min_tier", constraints.min_tier, 1, MAX_TIER)
    check_range(where, "max_price_gwei_hour", constraints.max_price_gwei_hour, 0, MAX_PRICE)
    check_range(where, "max_price_nanousd_hour", constraints.max_price_nanousd_hour, 0, MAX_PRICE)
    if constraints.max_price_gwei_hour and constraints.max_price_nanousd_hour:
        refuse(where, "a maximum price is in FLUX or in dollars, not in both")
    known = tuple(name for name in ARCHITECTURES if name in constraints.architectures)
    if not known or constraints.architectures != known:
        refuse(where, f"architectures must be a sorted selection of {', '.join(ARCHITECTURES)}")
    check_word(where, "spread", constraints.spread, SPREADS)
    check_range(where, "gpu_count", constraints.gpu_count, 0, MAX_GPUS)
    model = constraints.gpu_model
    if model and (not constraints.gpu_count or len(model) > MAX_GPU_MODEL_LENGTH or not _GPU_MODEL.fullmatch(model)):
        refuse(where, "a GPU model is given without a number of GPUs, or is not letters, digits, spaces and . _ / -")


def _check_update(update: Update, *, has_volumes: bool) -> None:
    where = "update"
    check_range(where, "parallelism", update.parallelism, 1, MAX_PARALLELISM)
    check_range(where, "delay_seconds", update.delay_seconds, 0, MAX_UPDATE_SECONDS)
    check_range(where, "monitor_seconds", update.monitor_seconds, 0, MAX_UPDATE_SECONDS)
    check_word(where, "order", update.order, UPDATE_ORDERS)
    check_word(where, "on_failure", update.on_failure, UPDATE_ACTIONS)
    if update.order == "start-first" and has_volumes:
        refuse(where, "start-first would open a volume twice at one time; an app with volumes needs stop-first or auto")


def _check_totals(spec: AppSpec, params: AppsParams) -> None:
    totals = (
        ("cpu_milli", sum(component.cpu_milli for component in spec.components), params.max_cpu_milli),
        ("memory_mib", sum(component.memory_mib for component in spec.components), params.max_memory_mib),
        (
            "disk_mib",
            sum(component.disk_mib for component in spec.components) + sum(volume.size_mib for volume in spec.volumes),
            params.max_disk_mib,
        ),
    )
    for name, needed, limit in totals:
        if needed > limit:
            refuse("the spec", f"one instance needs {name} {needed} in all; at most {limit} are allowed")
