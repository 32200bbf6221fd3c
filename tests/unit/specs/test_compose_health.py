"""`x-flux.health`: http and tcp checks of a component's ports."""

from collections.abc import Callable
from typing import Any

import pytest

from flux.contracts.apps.types import Health
from flux.specs.findings import Severity

FILE = """
services:
  web:
    image: nginx
    ports: ["80:8080", "9000"]
    healthcheck: {test: [CMD, "true"]}
  database:
    image: postgres
    ports: ["5432"]
x-flux:
  http_port: web:8080
  health:
    HEALTH
"""


def file(health: str) -> str:
    return FILE.replace("HEALTH", health)


def test_http_and_tcp_checks_become_the_components_health(read: Callable[..., Any]) -> None:
    loaded = read(
        file(
            "web: {http: /healthz, interval: 2s, timeout: 1s, retries: 5, start_period: 20s}\n    database: {tcp: 5432}"
        )
    )
    web, database = loaded.app_spec.components
    assert web.health == Health("http", 8080, "/healthz", 2000, 1000, 5, 20_000)
    assert database.health == Health("tcp", 5432, "", 10_000, 5_000, 3, 0)
    assert not loaded.app_spec.private, "a command that is not run is not kept"
    assert any(
        "takes the place" in finding.message for finding in loaded.findings if finding.severity is Severity.WARNED
    )


def test_the_port_may_be_named(read: Callable[..., Any]) -> None:
    (web, _) = read(file("web: {http: /, port: 9000}")).app_spec.components
    assert web.health == Health("http", 9000, "/", 10_000, 5_000)


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ("web: {}", "either http: /path or tcp: PORT"),
        ("web: {http: /, tcp: 80}", "either http: /path or tcp: PORT"),
        ("web: {http: healthz}", "must begin with /"),
        ("web: {http: '/a b'}", "must begin with /"),
        ("web: {http: /, port: 81}", "add it to ports"),
        ("web: {tcp: 70000}", "from 1 to 65535"),
        ("web: {tcp: 9000, port: 9000}", "names its port once"),
        ("wep: {http: /}", "did you mean web?"),
        ("web: {htpp: /}", "htpp"),
        ("web: {http: /, interval: soon}", "interval"),
        ("[web]", "expected a mapping"),
        ("web: {http: [1]}", "expected a path"),
    ],
)
def test_what_cannot_be_checked_is_refused_with_what_to_do(
    refusals: Callable[..., Any], health: str, words: str
) -> None:
    assert any(words in str(finding) for finding in refusals(file(health))), refusals(file(health))
