"""Registries that misbehave: each answer gets a typed error that says what to do. (A real one: tests/ports.)"""

import hashlib
import json
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from flux.specs.docker_login import Login
from flux.specs.image_reference import parse_image_reference
from flux.specs.registry import (
    ImageNotFound,
    RegistryClient,
    RegistryError,
    RegistryMisbehaved,
    RegistryUnauthorized,
    RegistryUnreachable,
)

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
Answer = Callable[[web.Request], web.StreamResponse]


class Registry:
    """A registry whose answers the test gives."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answer: Answer = lambda _: web.Response(status=404)
        self.requests: list[tuple[str, str | None]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.path, request.headers.get("Authorization")))
        return self.answer(request)


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    found = Registry("")
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", found.handle)
    async with TestServer(application, host="127.0.0.1") as server:
        found.address = f"127.0.0.1:{server.port}"
        yield found


async def error_of(registry: Registry, login: Login | None = None) -> RegistryError:
    logins = {registry.address: login} if login else {}
    with pytest.raises(RegistryError) as caught:
        await RegistryClient(logins).resolve(parse_image_reference(f"{registry.address}/app:1"))
    return caught.value


def json_response(document: object, kind: str = OCI_MANIFEST) -> web.Response:
    return web.Response(body=json.dumps(document).encode(), content_type=kind)


async def test_an_index_is_kept_as_it_is_and_its_attestations_do_not_count(registry: Registry) -> None:
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            {"digest": "sha256:1", "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": "sha256:2", "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
            {"digest": "sha256:3", "platform": {"os": "windows", "architecture": "amd64"}},
            {"digest": "sha256:4", "platform": {"os": "unknown", "architecture": "unknown"}},
            {"digest": "sha256:5"},
        ],
    }
    registry.answer = lambda _: json_response(index, OCI_INDEX)
    found = await RegistryClient().resolve(parse_image_reference(f"{registry.address}/app:1"))
    assert found.architectures == {"amd64", "arm64"}
    assert found.reference.digest == f"sha256:{hashlib.sha256(json.dumps(index).encode()).hexdigest()}"
    assert found.login is None
    assert registry.requests == [("/v2/app/manifests/1", None)]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (lambda _: web.Response(status=404), ImageNotFound, "does not exist"),
        (lambda _: web.Response(status=500), RegistryUnreachable, "HTTP 500"),
        (lambda _: web.Response(status=429), RegistryUnreachable, "no more requests"),
        (lambda _: web.Response(status=400), RegistryMisbehaved, "HTTP 400"),
        (lambda _: web.Response(status=401), ImageNotFound, "does not exist, or is private"),
        (lambda _: web.Response(body=b"<html>"), RegistryMisbehaved, "did not answer with an image"),
        (lambda _: web.Response(body=b"[" * 100_000), RegistryMisbehaved, "did not answer with an image"),
        (lambda _: json_response({"manifests": 5}), RegistryMisbehaved, "did not answer with an image"),
        (
            lambda _: json_response({}, "application/vnd.docker.distribution.manifest.v1+json"),
            RegistryMisbehaved,
            "push it",
        ),
        (lambda _: json_response({}), RegistryMisbehaved, "current format"),
        (lambda _: web.Response(body=b"x" * (5 * 1024 * 1024)), RegistryMisbehaved, "more than"),
        (
            lambda _: web.Response(status=401, headers={"WWW-Authenticate": 'Bearer realm="http://evil.example/t"'}),
            RegistryMisbehaved,
            "not encrypted",
        ),
        (
            lambda _: web.Response(status=401, headers={"WWW-Authenticate": "Negotiate"}),
            ImageNotFound,
            "docker login",
        ),
    ],
)
async def test_each_wrong_answer_has_its_error(
    registry: Registry, answer: Answer, kind: type[RegistryError], words: str
) -> None:
    registry.answer = answer
    error = await error_of(registry)
    assert type(error) is kind
    assert words in str(error)


async def test_other_bytes_than_the_digest_names_are_refused(registry: Registry) -> None:
    registry.answer = lambda _: json_response({"config": {"digest": "sha256:1"}})
    reference = parse_image_reference(f"{registry.address}/app@sha256:{'00' * 32}")
    with pytest.raises(RegistryMisbehaved, match="other bytes"):
        await RegistryClient().resolve(reference)


async def test_a_login_is_shown_only_to_a_registry_that_asks_for_one(registry: Registry) -> None:
    registry.answer = lambda _: json_response({"mediaType": OCI_INDEX, "manifests": []}, OCI_INDEX)
    client = RegistryClient({registry.address: Login("me", "token")})
    found = await client.resolve(parse_image_reference(f"{registry.address}/app:1"))
    assert found.login is None
    assert [authorization for _, authorization in registry.requests] == [None]


async def test_a_wrong_login_is_said_without_its_password(registry: Registry) -> None:
    registry.answer = lambda _: web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})
    error = await error_of(registry, Login("me", "pass-planted"))
    assert type(error) is RegistryUnauthorized
    assert "docker login" in str(error)
    assert "planted" not in str(error)


async def test_a_registry_that_is_not_there_is_unreachable(unused_tcp_port: int) -> None:
    with pytest.raises(RegistryUnreachable, match="can't be reached"):
        await RegistryClient().resolve(parse_image_reference(f"127.0.0.1:{unused_tcp_port}/app:1"))
