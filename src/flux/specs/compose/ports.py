"""Ports of a service: what the outside reaches (`ports`) and what only the other components see (`expose`)."""

import re
from collections.abc import Iterator

from flux.specs.compose.draft import Draft, PublishedPort
from flux.specs.field import Field

LONG_KEYS = ("target", "published", "host_ip", "protocol", "app_protocol", "mode", "name")
PROTOCOLS = ("tcp", "udp")
MAX_RANGE = 100
MAX_PORTS = 64

_SHORT = re.compile(
    r"(?:(?P<host>\[[0-9a-fA-F:.]*\]|(?:[0-9]{1,3}\.){3}[0-9]{1,3}|localhost|):)??"
    r"(?:(?P<published>[0-9]+(?:-[0-9]+)?)?:)?"
    r"(?P<target>[0-9]+(?:-[0-9]+)?)"
    r"(?:/(?P<protocol>[a-zA-Z]+))?",
    re.ASCII,
)
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


def read_ports(field: Field, draft: Draft) -> None:
    for item in field.items():
        for port in _long(item) if item.is_mapping else _short(item):
            same = (
                known for known in draft.ports if (known.container, known.protocol) == (port.container, port.protocol)
            )
            earlier = next(same, None)
            if earlier is None:
                draft.ports.append(port)
            else:
                item.warn(f"container port {port.container}/{port.protocol} is published twice; once is enough here")
                if earlier.is_loopback and not port.is_loopback:
                    draft.ports[draft.ports.index(earlier)] = port
    if len(draft.ports) > MAX_PORTS:
        field.refuse(f"a component offers at most {MAX_PORTS} ports, found {len(draft.ports)}")
    _report(field, draft)


def read_expose(field: Field, draft: Draft) -> None:
    for item in field.items():
        text = item.text(what="a port")
        if text is None:
            continue
        number, _, protocol = text.partition("/")
        span = _span(item, number)
        if protocol not in ("", *PROTOCOLS):
            item.refuse(f"the protocol {protocol[:20]!r} is not tcp or udp")
        elif span is not None:
            draft.exposed.extend(span)
    field.honour("components of an instance reach each other on every port")


def _short(item: Field) -> Iterator[PublishedPort]:
    text = item.text(what="a port such as 8080:80")
    if text is None:
        return
    match = _SHORT.fullmatch(text.strip())
    if match is None:
        item.refuse(f"{text[:60]!r} is not a port: write it as 80, 8080:80 or 8080:80/udp")
        return
    yield from _build(
        item, match["target"], match["published"], match["host"] or "", (match["protocol"] or "tcp").lower()
    )


def _long(item: Field) -> Iterator[PublishedPort]:
    known = item.known_fields(LONG_KEYS)
    if "target" not in known:
        item.refuse("the container port is missing: add target: 80")
        return
    if "mode" in known and known["mode"].choice(("host", "ingress")) is None:
        return
    target = known["target"].text(what="a port")
    published = known["published"].text(what="a port") if "published" in known else None
    host = (known["host_ip"].text() or "") if "host_ip" in known else ""
    protocol = (known["protocol"].text() or "") if "protocol" in known else "tcp"
    if target is not None:
        yield from _build(item, target, published, host, protocol.lower())


def _build(item: Field, target: str, published: str | None, host: str, protocol: str) -> Iterator[PublishedPort]:
    if protocol not in PROTOCOLS:
        item.refuse(f"the protocol {protocol[:20]!r} is not tcp or udp")
        return
    targets = _span(item, target)
    wishes = _span(item, published) if published else None
    if targets is None or (published and wishes is None):
        return
    if wishes is not None and len(wishes) != len(targets) and len(targets) != 1:
        item.refuse("the ranges of host and container ports differ in length: make them equal")
        return
    is_loopback = host.strip("[]").startswith("127.") or host in ("localhost", "[::1]", "::1")
    for index, container in enumerate(targets):
        wish = wishes[index] if wishes is not None and index < len(wishes) else None
        yield PublishedPort(container, protocol, wish, is_loopback, item)


def _span(item: Field, text: str) -> range | None:
    match = _RANGE.fullmatch(text)
    first = int(match[1]) if match else 0
    last = int(match[2] or match[1]) if match else 0
    if not 1 <= first <= last <= 65535:
        item.refuse(f"{text[:40]!r} is not a port: ports are 1 to 65535")
        return None
    if last - first >= MAX_RANGE:
        item.refuse(f"the range {text} has {last - first + 1} ports; at most {MAX_RANGE} are allowed")
        return None
    return range(first, last + 1)


def _report(field: Field, draft: Draft) -> None:
    offered = [port for port in draft.ports if not port.is_loopback]
    if offered:
        shown = ", ".join(f"{port.container}/{port.protocol}" for port in offered)
        field.honour(f"container ports {shown} are offered to the outside")
    if wishes := sorted({port.published for port in offered if port.published not in (None, port.container)}):
        field.warn(
            f"the host port {', '.join(map(str, wishes))} is not used: each node picks a free one, and visitors come "
            "through the app's URL"
        )
    for port in draft.ports:
        if port.is_loopback:
            port.place.warn(
                f"container port {port.container} is published on the host's loopback only, so it is not offered to "
                "the outside: remove the address to offer it, or name it in x-flux.http_port"
            )
