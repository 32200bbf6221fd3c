"""What holds between services: start order, names, and which port the ingress serves."""

from flux.contracts.apps.types import Dependency, Http, Port
from flux.specs.compose.draft import Draft, PublishedPort
from flux.specs.compose.extension import Extension
from flux.specs.field import Field
from flux.specs.names import find_nearest

OTHER_PROTOCOLS = frozenset(
    (
        *(21, 22, 23, 25, 53, 110, 123, 139, 143, 161, 389, 443, 445, 465, 514, 587, 636, 853, 993, 995),
        *(1194, 1433, 1521, 1883, 2049, 2222, 3306, 3389, 5060, 5222, 5432, 5672, 5900, 6379),
        *(8443, 8883, 9042, 11211, 25565, 27015, 27017, 51820),
    )
)
"""Ports that usually speak something else than HTTP, or HTTP inside TLS, which ends at the ingress."""


def check_dependencies(drafts: dict[str, Draft], left_out: frozenset[str]) -> None:
    """Every dependency names a service that runs, and none leads back to where it came from."""
    for draft in drafts.values():
        kept = []
        for dependency in draft.dependencies:
            target = drafts.get(dependency.service)
            if target is not None and target is not draft:
                kept.append(dependency)
            elif target is draft:
                dependency.place.refuse("a service can't depend on itself")
            elif not dependency.required:
                dependency.place.warn(f"the service {dependency.service} does not run, and is not required")
            elif dependency.service in left_out:
                dependency.place.refuse(
                    f"the service {dependency.service} is left out: remove its profile or replicas: 0"
                )
            else:
                nearest = find_nearest(dependency.service, drafts)
                dependency.place.refuse(
                    "there is no such service in this file" + (f": did you mean {nearest}?" if nearest else "")
                )
        draft.dependencies = kept
    for draft in drafts.values():
        _check_conditions(draft, drafts)
    _check_no_cycle(drafts)


def _check_conditions(draft: Draft, drafts: dict[str, Draft]) -> None:
    for dependency in draft.dependencies:
        target = drafts[dependency.service]
        if dependency.condition == "healthy" and target.health is None:
            dependency.place.warn(
                f"{target.name} has no healthcheck in this file: it counts as healthy once it runs, unless its image "
                "has one"
            )
        if dependency.condition == "completed":
            if target.restart == "always":
                dependency.place.refuse(
                    f"{target.name} is restarted always, so it never completes: write restart: on-failure"
                )
            target.restart = target.restart or "on-failure"


def _check_no_cycle(drafts: dict[str, Draft]) -> None:
    waiting = {name: {dependency.service for dependency in draft.dependencies} for name, draft in drafts.items()}
    while ready := [name for name, needs in waiting.items() if not needs & waiting.keys()]:
        for name in ready:
            del waiting[name]
    if waiting:
        first = next(iter(waiting))
        drafts[first].dependencies[0].place.refuse(
            f"the services {', '.join(waiting)} wait for each other in a circle: remove one depends_on"
        )


def dependencies_of(draft: Draft) -> tuple[Dependency, ...]:
    """One dependency for each other component; of several conditions the strictest."""
    strictness = ("started", "healthy", "completed")
    conditions: dict[str, str] = {}
    for dependency in draft.dependencies:
        earlier = conditions.get(dependency.service, "started")
        conditions[dependency.service] = max(earlier, dependency.condition, key=strictness.index)
    return tuple(Dependency(service, condition) for service, condition in conditions.items())


def check_aliases(drafts: dict[str, Draft]) -> None:
    """Another name of a service is refused where a service really uses it, for it would not resolve."""
    for draft in drafts.values():
        for alias in draft.aliases:
            if alias.name in drafts:
                if alias.name != draft.name:
                    alias.place.refuse(f"{alias.name} is the name of another service: choose one name for each")
                continue
            users = [other.name for other in drafts.values() if other is not draft and other.uses_host(alias.name)]
            if users:
                alias.place.refuse(
                    f"the service is reached as {draft.name} here, but {', '.join(users)} uses the name {alias.name}: "
                    f"write {draft.name} there, or rename the service"
                )


def find_http(drafts: dict[str, Draft], extension: Extension, file: Field) -> Http | None:
    """The port that visitors reach through the app's URL; its draft publishes it afterwards."""
    if extension.http_port is not None:
        return _chosen_http(extension.http_port, drafts, extension)
    candidates = [
        (draft, port)
        for draft in drafts.values()
        for port in draft.ports
        if port.protocol == "tcp" and not port.is_loopback and port.container not in OTHER_PROTOCOLS
    ]
    for is_usual in (_is_any, _is_published_as_web, _is_web):
        matching = [candidate for candidate in candidates if is_usual(candidate[1])]
        if len(matching) == 1:
            draft, port = matching[0]
            port.place.honour(f"the app's URL leads to {draft.name}:{port.container}")
            return Http(draft.name, port.container, extension.sticky)
    if not candidates:
        file.warn("no port looks like a web server's, so the app has no URL: set x-flux.http_port if it is one")
        return None
    names = ", ".join(f"{draft.name}:{port.container}" for draft, port in candidates)
    first = f"{candidates[0][0].name}:{candidates[0][1].container}"
    candidates[0][1].place.warn(
        f"several ports could be the web server's ({names}), so the app has no URL: choose, as in x-flux.http_port: "
        f"{first}"
    )
    return None


def _is_any(_: PublishedPort) -> bool:
    return True


def _is_published_as_web(port: PublishedPort) -> bool:
    return port.published == 80


def _is_web(port: PublishedPort) -> bool:
    return port.container == 80


def _chosen_http(field: Field, drafts: dict[str, Draft], extension: Extension) -> Http | None:
    text = field.text(what="a port such as 8080, or service:port")
    if text is None:
        return None
    service, colon, number = text.rpartition(":")
    if not (number.isascii() and number.isdigit() and len(number) <= 5 and 1 <= int(number) <= 65535):
        field.refuse(f"{text[:60]!r} is neither a port nor service:port")
        return None
    if colon and service not in drafts:
        nearest = find_nearest(service, drafts)
        field.refuse(f"there is no service {service[:60]!r}" + (f": did you mean {nearest}?" if nearest else ""))
        return None
    port = int(number)
    searched = [drafts[service]] if colon else list(drafts.values())
    found = _find_port(searched, port)
    if found is None and len(searched) == 1:
        found = searched[0], port
    if found is None:
        field.refuse(f"several services could have port {port}: write service:{port}")
        return None
    draft, container = found
    _offer(draft, container, field)
    field.honour(f"the app's URL leads to {draft.name}:{container}")
    return Http(draft.name, container, extension.sticky)


def _find_port(drafts: list[Draft], number: int) -> tuple[Draft, int] | None:
    """The service with that container port, or else with that host port, when it is only one."""
    by_container = [
        (draft, number)
        for draft in drafts
        if number in draft.exposed or any(port.container == number and port.protocol == "tcp" for port in draft.ports)
    ]
    by_published = [(draft, port.container) for draft in drafts for port in draft.ports if port.published == number]
    for found in (by_container, by_published):
        if len(found) == 1:
            return found[0]
    return None


def _offer(draft: Draft, container: int, field: Field) -> None:
    """The ingress reaches only what the component offers to the outside."""
    draft.ports = [port for port in draft.ports if (port.container, port.protocol) != (container, "tcp")] + [
        PublishedPort(container, "tcp", None, False, field)
    ]


def ports_of(draft: Draft) -> tuple[Port, ...]:
    """What the component offers to the outside."""
    return tuple(Port(port.container, port.protocol) for port in draft.ports if not port.is_loopback)
