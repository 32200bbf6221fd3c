"""Specs of the real Flux network (JSON, versions 1 to 8) read into the same spec as a Compose file.

Facts from FluxOS `appValidator.js`, `mountParser.js` (containerData) and `hwRequirements.js` (geolocation).
"""

import re

from flux.contracts.apps.types import AppSpec, Component, Constraints, Http, Port, PrivateComponent, PrivateSpec, Volume
from flux.specs.compose.extension import read_geo
from flux.specs.compose.topology import OTHER_PROTOCOLS
from flux.specs.field import Field, root_field
from flux.specs.findings import Findings
from flux.specs.flux_component import FluxComponent, read_component
from flux.specs.flux_data import Storage
from flux.specs.loaded import DeployOptions, LoadedSpec
from flux.specs.names import is_app_name, suggest_app_name
from flux.specs.placement import MAX_INSTANCES
from flux.specs.source import Mapping, Node

MIN_INSTANCES_OF_OLD_VERSIONS = 3
DEFAULT_DISK_MIB = 1024

IGNORED = {
    "description": "description is not kept",
    "owner": "owner is not used: the app belongs to the account that deploys it",
    "contacts": "contacts are not kept: everything on chain can be read by everybody",
    "expire": "expire is not used: an app runs as long as its deposit lasts",
    "domains": "custom domains are not served: use the app's URL",
}
REFUSED = {
    "nodes": "nodes can't be named: say where to run with geolocation",
    "datacenter": "nodes are not chosen by data centre: remove it",
}
TIERED = tuple(f"{resource}{tier}" for resource in ("cpu", "ram", "hdd") for tier in ("basic", "super", "bamf"))
COMPONENT_KEYS = (
    "name",
    "description",
    "repotag",
    "ports",
    "domains",
    "environmentParameters",
    "commands",
    "containerPorts",
    "containerData",
    "cpu",
    "ram",
    "hdd",
    "repoauth",
    "secrets",
    "tiered",
    *TIERED,
)
SINGLE_KEYS = (*COMPONENT_KEYS, "port", "containerPort", "enviromentParameters")
APP_KEYS = (
    "version",
    "name",
    "description",
    "owner",
    "compose",
    "instances",
    "contacts",
    "geolocation",
    "expire",
    "nodes",
    "staticip",
    "datacenter",
    "enterprise",
    "hash",
    "height",
)


def is_flux_spec(node: Node) -> bool:
    """Whether the tree is a spec of the Flux network and not a Compose file."""
    if not isinstance(node, Mapping) or node.find("services") is not None:
        return False
    return node.find("version") is not None and (node.find("repotag") is not None or node.find("compose") is not None)


def read_flux_spec(node: Node, file: str, findings: Findings) -> LoadedSpec:
    """The spec of the file. It may be deployed only when the findings have no refusal."""
    root = root_field(node, file, findings)
    is_single = isinstance(node, Mapping) and node.find("compose") is None
    known = root.known_fields((*APP_KEYS, *SINGLE_KEYS) if is_single else APP_KEYS)
    version = known["version"].integer(minimum=1, maximum=8)
    if version is not None and is_single != (version <= 3):
        known["version"].refuse("versions 1 to 3 have repotag, versions 4 to 8 have compose: the version does not fit")
    _report(known, is_single=is_single)
    components = _components(known, root, is_single=is_single)
    instances = _instances(known, version or 8)
    storage = Storage(components, instances)
    app_name = _app_name(known.get("name"))
    _rename_hosts(components, known.get("name"))
    private = PrivateSpec(tuple(found for component in components if (found := _private_of(component)) is not None))
    app_spec = AppSpec(
        components=tuple(_component_of(component, storage) for component in components),
        volumes=tuple(Volume(name, size_mib) for name, size_mib in storage.sizes.items()),
        http=_http(components, root),
        constraints=Constraints(
            geo=read_geo(known["geolocation"]) if "geolocation" in known else (),
            static_ip="staticip" in known and known["staticip"].boolean() is True,
        ),
        private=private != PrivateSpec(),
    )
    return LoadedSpec(app_spec, private, findings.sorted(), DeployOptions(app_name, instances))


def _report(known: dict[str, Field], *, is_single: bool) -> None:
    for name, sentence in IGNORED.items():
        if name in known and not known[name].is_off and not (is_single and name == "domains"):
            known[name].warn(sentence)
    for name, sentence in REFUSED.items():
        if name in known and not known[name].is_off:
            known[name].refuse(sentence)
    if "enterprise" in known and not known["enterprise"].is_off:
        known["enterprise"].refuse(
            "an enterprise spec is encrypted for nodes of the Flux network and can't be read here: deploy the original"
        )


def _components(known: dict[str, Field], root: Field, *, is_single: bool) -> list[FluxComponent]:
    if is_single:
        own = {name: field for name, field in known.items() if name in SINGLE_KEYS}
        return [read_component(root, own, name_if_single=_single_name(known.get("name")))]
    found: list[FluxComponent] = []
    for item in known["compose"].items():
        component = read_component(item, item.known_fields(COMPONENT_KEYS))
        if any(component.name == other.name for other in found):
            item.refuse(f"the component name {component.name} is used twice (upper and lower case count as the same)")
        else:
            found.append(component)
    is_encrypted = "enterprise" in known and not known["enterprise"].is_off
    if not found and not is_encrypted:
        known["compose"].refuse("there is no component to run: add one with name and repotag")
    return found


def _single_name(field: Field | None) -> str:
    return (suggest_app_name(field.scalar_text()) if field is not None else "") or "app"


def _app_name(field: Field | None) -> str | None:
    if field is None:
        return None
    text = field.text(what="a name")
    if text is None:
        return None
    nearest = suggest_app_name(text) or None
    if is_app_name(text):
        field.honour(f"the app is called {text}")
    else:
        field.warn(f"not an app name here (a–z, 0–9, inner hyphens), so the app is called {nearest or 'otherwise'}")
    return nearest


def _instances(known: dict[str, Field], version: int) -> int:
    if "instances" not in known:
        return MIN_INSTANCES_OF_OLD_VERSIONS if version < 3 else 1
    instances = known["instances"].integer(minimum=1, maximum=MAX_INSTANCES) or 1
    known["instances"].honour(f"{instances} instances, each with all components")
    return instances


def _rename_hosts(components: list[FluxComponent], app: Field | None) -> None:
    """The Flux network calls a component flux<component>_<app>; here its name alone resolves."""
    if app is None:
        return
    for target in components:
        word = re.compile(rf"\bflux{re.escape(target.written_name)}_{re.escape(app.scalar_text())}\b", re.IGNORECASE)
        for user in components:
            texts = [*user.environment.values(), *user.command]
            if any(word.search(text) for text in texts):
                user.environment = {name: word.sub(target.name, text) for name, text in user.environment.items()}
                user.command = [word.sub(target.name, text) for text in user.command]
                user.place.warn(
                    f"the component {target.written_name} is called {target.name} here; its name is replaced"
                )


def _private_of(component: FluxComponent) -> PrivateComponent | None:
    if not component.environment and not component.command:
        return None
    return PrivateComponent(
        component.name,
        environment=tuple(sorted(component.environment.items())),
        command=tuple(component.command) or None,
    )


def _component_of(component: FluxComponent, storage: Storage) -> Component:
    return Component(
        name=component.name,
        image=component.image,
        cpu_milli=component.cpu_milli,
        memory_mib=component.memory_mib,
        disk_mib=DEFAULT_DISK_MIB,
        ports=tuple(Port(container) for container in component.container_ports),
        mounts=storage.mounts_of(component),
    )


def _http(components: list[FluxComponent], root: Field) -> Http | None:
    """The first port of the app, as the Flux network serves it under the app's own name."""
    for component in components:
        for port in component.container_ports:
            if port not in OTHER_PROTOCOLS:
                return Http(component.name, port)
    root.warn("no port looks like a web server's, so the app has no URL")
    return None
