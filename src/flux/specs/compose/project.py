"""A whole Compose file: the services that run, what holds between them, and the spec that comes of it."""

from collections.abc import Mapping, Sequence

from flux.contracts.apps.types import AppSpec, Component, Constraints, PrivateComponent, PrivateSpec
from flux.specs.compose import declared, topology
from flux.specs.compose.backup import apply_backup
from flux.specs.compose.declared import Volumes
from flux.specs.compose.draft import Draft
from flux.specs.compose.extension import Extension, read_extension
from flux.specs.compose.health import apply_health
from flux.specs.compose.interpolation import interpolate_tree
from flux.specs.compose.keys import TOP_LEVEL, TOP_LEVEL_REFUSED
from flux.specs.compose.process import Sources
from flux.specs.compose.secrets import secrets_of
from flux.specs.compose.service import read_service
from flux.specs.compose.updates import find_update
from flux.specs.field import Field, root_field
from flux.specs.findings import Findings
from flux.specs.loaded import DeployOptions, LoadedSpec
from flux.specs.names import is_app_name, suggest_app_name, unknown_key_sentence
from flux.specs.source import Node

DEFAULT_CPU_MILLI = 500
DEFAULT_MEMORY_MIB = 256
DEFAULT_DISK_MIB = 1024
MAX_DEPENDENCIES = 64
NODE_VARIABLES = ("FLUX_APP", "FLUX_INSTANCE", "FLUX_NODE", "FLUX_COUNTRY", "FLUX_REGION")


def read_compose(
    node: Node, file: str, sources: Sources, profiles: Sequence[str], folder: str, findings: Findings
) -> LoadedSpec:
    """The spec of the file. It may be deployed only when the findings have no refusal."""
    root = root_field(interpolate_tree(node, sources.variables, findings), file, findings)
    top = _top_level(root)
    extension = read_extension(top["x-flux"]) if "x-flux" in top else Extension()
    volumes = Volumes(declared.read_volumes(top["volumes"]) if "volumes" in top else {}, extension)
    if "networks" in top:
        declared.read_networks(top["networks"])
    drafts, left_out = _read_services(top.get("services"), root, sources, profiles)
    topology.check_dependencies(drafts, left_out)
    topology.check_aliases(drafts)
    http = topology.find_http(drafts, extension, root)
    apply_health(extension.health, drafts, http)
    apply_backup(extension.backup, drafts)
    private = PrivateSpec(
        tuple(found for draft in drafts.values() if (found := _private_of(draft)) is not None),
        secrets=secrets_of(top.get("secrets"), drafts, sources),
    )
    components = tuple(_component_of(draft, volumes) for draft in drafts.values())
    kept = volumes.all()
    app_spec = AppSpec(
        components=components,
        volumes=kept,
        http=http,
        constraints=_constraints(drafts, extension),
        private=private != PrivateSpec(),
        update=find_update(drafts, extension.update, has_volumes=bool(kept), place=top.get("x-flux", root)),
        at_most_one=extension.at_most_one,
        standby=extension.standby,
    )
    options = DeployOptions(
        name=_name(extension, top.get("name"), folder),
        instances=_instances(drafts, extension),
        deposit=extension.deposit,
        architectures=_architectures(drafts, extension),
    )
    return LoadedSpec(app_spec, private, findings.sorted(), options)


def _top_level(root: Field) -> dict[str, Field]:
    found = {}
    for key in root.fields():
        if key.name in TOP_LEVEL_REFUSED and not key.is_off:
            key.refuse(TOP_LEVEL_REFUSED[key.name])
        elif key.name in TOP_LEVEL or key.name == "x-flux":
            found[key.name] = key
        else:
            key.refuse(unknown_key_sentence(key.name, (*TOP_LEVEL, "x-flux")))
    return found


def _read_services(
    section: Field | None, root: Field, sources: Sources, profiles: Sequence[str]
) -> tuple[dict[str, Draft], frozenset[str]]:
    """The services that run, and the names of those that are left out."""
    drafts: dict[str, Draft] = {}
    left_out = set()
    for field in section.fields() if section is not None else ():
        wanted = _profiles_of(field)
        if wanted and "*" not in profiles and not set(wanted) & set(profiles):
            field.warn(f"left out: its profile {', '.join(wanted)} is not active")
            left_out.add(field.name)
            continue
        draft = read_service(field, sources)
        if draft.replicas == 0:
            field.warn("left out: it asks for 0 replicas")
            left_out.add(field.name)
            continue
        _drop_node_variables(draft)
        drafts[field.name] = draft
    if not drafts:
        (section or root).refuse("there is no service to run: add services: with at least one image")
    return drafts, frozenset(left_out)


def _profiles_of(service: Field) -> list[str]:
    found = [field for field in service.fields() if field.name == "profiles"] if service.is_mapping else []
    return found[0].texts() if found else []


def _drop_node_variables(draft: Draft) -> None:
    for name in NODE_VARIABLES:
        if draft.environment.pop(name, None) is not None or draft.file_environment.pop(name, None) is not None:
            draft.place.warn(f"{name} is set by the node; the value here is not used")


def _private_of(draft: Draft) -> PrivateComponent | None:
    environment = draft.file_environment | draft.environment
    private = PrivateComponent(
        draft.name,
        tuple(sorted(environment.items())),
        draft.entrypoint,
        draft.command,
        draft.health_command,
        draft.backup_pre,
        draft.backup_post,
    )
    return private if private != PrivateComponent(draft.name) else None


def _component_of(draft: Draft, volumes: Volumes) -> Component:
    memory_mib = draft.memory_limit or draft.memory_reservation or DEFAULT_MEMORY_MIB
    _check_size(draft, memory_mib)
    return Component(
        name=draft.name,
        image=draft.image,
        cpu_milli=draft.cpu_limit or draft.cpu_reservation or DEFAULT_CPU_MILLI,
        memory_mib=memory_mib,
        disk_mib=draft.disk_mib or DEFAULT_DISK_MIB,
        ports=topology.ports_of(draft),
        mounts=volumes.mounts_of(draft),
        tmpfs=tuple(draft.tmpfs),
        depends_on=topology.dependencies_of(draft),
        health=draft.health,
        restart=_restart(draft),
        user=draft.user,
        working_dir=draft.working_dir,
        hostname=draft.hostname,
        read_only=draft.read_only,
        stop_grace_seconds=draft.stop_grace_seconds,
        stop_signal=draft.stop_signal,
        shm_mib=draft.shm_mib,
        init=draft.init,
        labels=tuple(sorted(draft.labels.items())),
    )


def _check_size(draft: Draft, memory_mib: int) -> None:
    missing = [
        text
        for text, chosen in (
            ("0.5 cores (cpus)", draft.cpu_limit or draft.cpu_reservation),
            (f"{DEFAULT_MEMORY_MIB} MiB of memory (memory)", draft.memory_limit or draft.memory_reservation),
        )
        if not chosen
    ]
    if missing:
        draft.place.warn(f"no size given, so it gets {' and '.join(missing)}: set them in deploy.resources.limits")
    if draft.shm_mib > memory_mib:
        draft.place.refuse(
            f"shm_size of {draft.shm_mib} MiB is more than its memory of {memory_mib} MiB: raise the memory"
        )
    if len(draft.dependencies) > MAX_DEPENDENCIES:
        draft.place.refuse(f"a component depends on at most {MAX_DEPENDENCIES} others")


def _restart(draft: Draft) -> str:
    if draft.restart is None:
        draft.place.warn('no restart given, so it is restarted always: write restart: "no" for one that ends by itself')
    return draft.restart or "always"


def _constraints(drafts: Mapping[str, Draft], extension: Extension) -> Constraints:
    gpu_count = max(extension.gpu_count, sum(draft.gpu_count for draft in drafts.values()))
    return Constraints(
        geo=extension.geo,
        min_tier=extension.min_tier,
        max_price_gwei_hour=extension.max_price.gwei,
        max_price_nanousd_hour=extension.max_price.nanousd,
        architectures=_architectures(drafts, extension) or ("amd64",),
        spread=extension.spread,
        gpu_model=extension.gpu_model if gpu_count else "",
        gpu_count=gpu_count,
        static_ip=extension.static_ip,
    )


def _architectures(drafts: Mapping[str, Draft], extension: Extension) -> tuple[str, ...]:
    """Those the file restricts itself to, sorted; empty when it does not."""
    wished = [draft for draft in drafts.values() if draft.architecture]
    sets = [frozenset((draft.architecture,)) for draft in wished]
    if extension.architectures:
        sets.append(frozenset(extension.architectures))
    if not sets:
        return ()
    common = frozenset.intersection(*sets)
    if not common:
        place = wished[0].place
        place.refuse("the platforms in this file contradict each other: no node has all of them")
    return tuple(sorted(common))


def _instances(drafts: Mapping[str, Draft], extension: Extension) -> int:
    """`x-flux.instances`, or else the replicas of the only service."""
    asked = [draft for draft in drafts.values() if draft.replicas is not None]
    if extension.instances is None and len(drafts) == 1 and asked:
        replicas = asked[0].replicas or 1
        if asked[0].replicas_place is not None:
            asked[0].replicas_place.honour(f"{replicas} instances of the app, each on a node of its own")
        return replicas
    for draft in asked:
        if draft.replicas_place is not None and draft.replicas != 1:
            draft.replicas_place.warn(
                "replicas is not used: an instance has one of each component; x-flux.instances runs all of them "
                "that many times"
            )
    return extension.instances or 1


def _name(extension: Extension, top_level: Field | None, folder: str) -> str | None:
    if extension.name is not None:
        return extension.name
    text = top_level.text(what="a name") if top_level is not None else None
    if text is None:
        return suggest_app_name(folder) or None
    nearest = suggest_app_name(text) or None
    if top_level is not None and not is_app_name(text):
        top_level.warn(f"not an app name (a–z, 0–9, inner hyphens), so the app is called {nearest or 'otherwise'}")
    elif top_level is not None:
        top_level.honour(f"the app is called {text}")
    return nearest
