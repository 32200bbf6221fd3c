"""Keys by which a service would leave its sandbox, and those that only describe the sandbox it gets anyway."""

from flux.specs.compose.draft import Alias, Draft, DraftDependency
from flux.specs.compose.keys import PRIVATE_NAMESPACES
from flux.specs.field import Field

NETWORK_KEYS = (
    "aliases",
    "ipv4_address",
    "ipv6_address",
    "link_local_ips",
    "mac_address",
    "driver_opts",
    "priority",
    "gw_priority",
    "interface_name",
)
PLATFORMS = {"linux/amd64": "amd64", "linux/x86_64": "amd64", "linux/arm64": "arm64", "linux/arm64/v8": "arm64"}
HARMLESS_SECURITY = ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true")


def read_privileged(field: Field, _: Draft) -> None:
    if field.boolean():
        field.refuse("no node runs privileged containers: remove it")


def read_network_mode(field: Field, _: Draft) -> None:
    text = field.text(what="a network mode")
    if text in ("bridge", "default"):
        field.warn("network_mode is not needed: every instance has a network of its own")
    elif text is not None:
        field.refuse(f"network_mode {text[:60]} is not possible: every instance has a network of its own; use ports")


def read_namespace(field: Field, _: Draft) -> None:
    text = field.text(what="a namespace")
    if text is not None and text not in PRIVATE_NAMESPACES[field.name]:
        field.refuse(f"{field.name}: {text[:60]} would leave the sandbox of the component: remove it")


def read_security_opt(field: Field, _: Draft) -> None:
    for item in field.items():
        text = item.text()
        if text in HARMLESS_SECURITY:
            item.honour("every component runs without new privileges")
        elif text is not None:
            item.refuse(f"{text[:60]!r} would change the sandbox of the component: remove it")


def read_platform(field: Field, draft: Draft) -> None:
    text = field.text(what="a platform such as linux/amd64")
    if text is None:
        return
    if text not in PLATFORMS:
        field.refuse(f"{text[:60]!r} is not a platform of this network: linux/amd64 or linux/arm64")
        return
    draft.architecture = PLATFORMS[text]
    field.honour(f"only {draft.architecture} nodes are considered")


def read_networks(field: Field, draft: Draft) -> None:
    if not field.is_mapping:
        names = field.texts() if not field.is_null else []
        if names and names != ["default"]:
            field.warn("components of an instance share one network; the division into networks is not kept")
        return
    for network in field.fields():
        known = network.known_fields(NETWORK_KEYS) if not network.is_null else {}
        for name in ("ipv4_address", "ipv6_address", "link_local_ips"):
            if name in known:
                known[name].refuse("addresses inside an instance are not fixed: use the name of the service")
        for alias in known["aliases"].items() if "aliases" in known else ():
            text = alias.text()
            if text is not None and text != draft.name:
                draft.aliases.append(Alias(text, alias))
    if field.fields():
        field.warn("components of an instance share one network; the division into networks is not kept")


def read_links(field: Field, draft: Draft) -> None:
    for item in field.items():
        text = item.text(what="the name of a service")
        if text is None:
            continue
        service, _, alias = text.partition(":")
        if alias and alias != service:
            item.refuse(f"a service has only its own name here: write {service} where {alias} is used as a host name")
        else:
            draft.dependencies.append(DraftDependency(service, "started", True, item))
            item.honour(f"{service} is reachable by its name, and started before")


def read_container_name(field: Field, draft: Draft) -> None:
    text = field.text(what="a name")
    if text is None or text == draft.name:
        return
    field.warn(f"container_name is not used: many instances may run on one node; the component is called {draft.name}")
    draft.aliases.append(Alias(text, field))


def read_gpus(field: Field, draft: Draft) -> None:
    if field.scalar_text() == "all":
        field.warn("the number of GPUs differs between nodes: one is asked for; write x-flux.gpu for more")
        draft.gpu_count, draft.gpu_place = 1, field
    else:
        field.refuse("write gpus: all for one GPU, or deploy.resources.reservations.devices with a count")
