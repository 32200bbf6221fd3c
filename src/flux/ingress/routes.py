"""From the chain's routes to Caddy's routes. Pure: the same routes, rotation and rules give the same JSON.

Names of apps and addresses of nodes were chosen by strangers. What is not a DNS label or not an address and port is
left out, with a reason: Caddy would read `*` as a wildcard, `{env.X}` as a placeholder and `unix/…` as a socket.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, NamedTuple

from flux.contracts.market.types import Route, Upstream
from flux.ingress import answers

COOKIE = "flux_instance"
"""Names the instance that a visitor stays on."""
HOP_HEADER = "Flux-Ingress"
"""On every forwarded request; one that has it already has come back through a node that points to an ingress."""

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOST_LABEL = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
_LONGEST_HOST = 253
_LOCAL_NAMES = (".localhost", ".local", ".internal")
_TRY_DURATION = "10s"
"""Longest search of one request for an instance that takes it; the number of tries ends most searches earlier."""
_TRY_INTERVAL = "10ms"
"""Short, because Caddy 2.6 gives up a request that waits for its next try while the routes change."""
_FAILURES = 2
_LEFT_OUT = "5s"
"""How long an instance is passed over after that many failed requests: longer than the active checks need to take it
out, so that no request is waiting for its next try at that moment."""
_DIAL_TIMEOUT = "1s"
_KEEP_ALIVE = "30s"
_STREAM_CLOSE_DELAY = "24h"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
"""Requests that may be made twice (RFC 9110, 9.2.1)."""


class Target(NamedTuple):
    """Address of an instance."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class RouteRules:
    """What holds for every route."""

    domain: str
    cookie_secret: str
    allow_private_upstreams: bool = True
    keep_streams: bool = False
    """Whether open WebSockets outlive a change of routes: from Caddy 2.7 on; older ones close all of them."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something from the chain that is not served, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class App:
    """What is served under one host name."""

    name: str
    host: str
    sticky: bool
    targets: tuple[Target, ...]


def read_routes(routes: Sequence[Route], rules: RouteRules) -> tuple[list[App], list[Skipped]]:
    """What can be served of the chain's routes, ordered by name, and what can't."""
    apps: dict[str, App] = {}
    skipped = []
    for route in sorted(routes, key=lambda route: (route.name, route.app)):
        if not _LABEL.fullmatch(route.name):
            skipped.append(Skipped(route.name[:64], "not a DNS label"))
            continue
        if route.name in apps:
            skipped.append(Skipped(route.name, f"name of another app too (app {route.app})"))
            continue
        targets = []
        for upstream in route.upstreams:
            reason = _refusal(upstream, rules)
            if reason:
                skipped.append(Skipped(f"{route.name} at {upstream.host[:64]!r}:{upstream.port}", reason))
            else:
                targets.append(Target(upstream.host, upstream.port))
        unique = tuple(dict.fromkeys(targets))
        apps[route.name] = App(route.name, f"{route.name}.{rules.domain}", route.sticky, unique)
    return list(apps.values()), skipped


def caddy_routes(
    apps: Sequence[App], down: Collection[Target], rules: RouteRules, new: Collection[Target] = ()
) -> list[dict[str, Any]]:
    """Caddy's list of routes. Targets in `down` are left out, unless none would remain: then all are tried.

    Of those that are only starting, `new` ones, one is tried then: requests wait at it, and no other one is passed over
    for a while because it did not listen yet.
    """
    routes = [_loop_guard()]
    for app in apps:
        rotation = _rotation(app.targets, down, new)
        handler = _served(app, rotation, rules) if rotation else answers.not_running(app.name)
        routes.append({"match": [{"host": [app.host]}], "handle": [handler], "terminal": True})
    return [*routes, {"handle": [answers.unknown_app(rules.domain)]}]


def _rotation(targets: Sequence[Target], down: Collection[Target], new: Collection[Target]) -> Sequence[Target]:
    up = [target for target in targets if target not in down]
    known = [target for target in targets if target not in new]
    return up or known or targets[:1]


def _served(app: App, rotation: Sequence[Target], rules: RouteRules) -> dict[str, Any]:
    """Forwarding, and one more try at another instance for reads that it gave up.

    A change of routes ends the search of each request that is waiting for a dead instance's connection at that moment,
    and routes change just when an instance has died.
    """
    proxy = _proxy(app, rotation, rules)
    if len(rotation) == 1:
        return proxy
    # One that failed at all lately, this request's among them, is passed over.
    strict = {"passive": {"fail_duration": _LEFT_OUT, "max_fails": 1}}
    once = {**proxy, "load_balancing": {"selection_policy": {"policy": "round_robin"}}, "health_checks": strict}
    again = {"match": [{"method": list(_SAFE_METHODS)}], "handle": [once]}
    return {"handler": "subroute", "routes": [{"handle": [proxy]}], "errors": {"routes": [again]}}


def _proxy(app: App, rotation: Sequence[Target], rules: RouteRules) -> dict[str, Any]:
    streams = {"stream_close_delay": _STREAM_CLOSE_DELAY} if rules.keep_streams else {}
    # An only instance is always worth the try.
    passive = {"fail_duration": _LEFT_OUT, "max_fails": _FAILURES}
    policy: dict[str, Any] = {"policy": "round_robin"}
    if app.sticky and len(rotation) > 1:
        policy = {"policy": "cookie", "name": COOKIE, "secret": rules.cookie_secret}
    return {
        "handler": "reverse_proxy",
        **streams,
        "upstreams": [{"dial": str(target)} for target in rotation],
        "load_balancing": {
            "selection_policy": policy,
            # A sticky visitor's instance is tried until it counts as failed, then each other one. No more than that: a
            # request that crashes what it reaches must not be sent on and on.
            "retries": len(rotation) + _FAILURES - 1,
            "try_duration": _TRY_DURATION,
            "try_interval": _TRY_INTERVAL,
        },
        **({"health_checks": {"passive": passive}} if len(rotation) > 1 else {}),
        "headers": {"request": {"set": {HOP_HEADER: ["1"]}}},
        "transport": {
            "protocol": "http",
            "dial_timeout": _DIAL_TIMEOUT,
            "keep_alive": {"enabled": True, "idle_timeout": _KEEP_ALIVE},
        },
    }


def _loop_guard() -> dict[str, Any]:
    return {"match": [{"header": {HOP_HEADER: ["*"]}}], "handle": [answers.loop()], "terminal": True}


def _refusal(upstream: Upstream, rules: RouteRules) -> str:
    """Why an upstream is not served; empty when it is."""
    if not 1 <= upstream.port <= 65535:
        return "not a port"
    try:
        address = ip_address(upstream.host)
    except ValueError:
        if not _is_host_name(upstream.host):
            return "neither an IP address nor a host name"
        is_public = "." in upstream.host and not upstream.host.lower().endswith(_LOCAL_NAMES)
    else:
        if address.is_multicast or address.is_unspecified:
            return "not the address of one host"
        is_public = address.is_global
    return "" if is_public or rules.allow_private_upstreams else "not a public address"


def _is_host_name(host: str) -> bool:
    """A DNS name that no resolver takes for a number (0x7f.1 is 127.0.0.1 to some)."""
    labels = host.split(".")
    return (
        len(host) <= _LONGEST_HOST and all(_HOST_LABEL.fullmatch(label) for label in labels) and labels[-1][0].isalpha()
    )
