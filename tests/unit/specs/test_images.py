"""Pinning images: what a spec becomes once the registries have answered, and what is said when they have not."""

from collections.abc import Mapping

import pytest

from flux.contracts.apps.types import PrivateSpec, RegistryCredential
from flux.specs.docker_login import Login, logins_of_docker_config
from flux.specs.image_reference import ImageReference
from flux.specs.images import ImagesRefused, resolve
from flux.specs.load import load
from flux.specs.loaded import LoadedSpec, SpecError
from flux.specs.registry import ImageNotFound, RegistryError, RegistryUnreachable, ResolvedImage

NGINX, APP = "docker.io/library/nginx:1.27", "ghcr.io/me/app:2"
Answer = tuple[set[str], Login | None] | RegistryError


class Registries:
    """Answers from memory; every digest is made of its image's tag."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    async def resolve(self, reference: ImageReference) -> ResolvedImage:
        self.asked.append(str(reference))
        answer = self._answers[str(reference)]
        if isinstance(answer, RegistryError):
            raise answer
        architectures, login = answer
        return ResolvedImage(reference.pinned(digest(reference)), frozenset(architectures), login)


def digest(reference: ImageReference) -> str:
    return f"sha256:{(reference.tag or '').encode().hex().rjust(64, '0')}"


def spec(more: str = "") -> LoadedSpec:
    return load(
        "services:\n  web: {image: 'nginx:1.27'}\n  app: {image: 'ghcr.io/me/app:2'}\n"
        f"  again: {{image: 'nginx:1.27'}}\n{more}"
    )


async def test_every_tag_becomes_a_digest_and_each_image_is_asked_for_once() -> None:
    registries = Registries({NGINX: ({"amd64", "arm64", "s390x"}, None), APP: ({"amd64", "arm64"}, None)})
    loaded = await resolve(spec(), registries)
    assert [component.image for component in loaded.app_spec.components] == [
        f"docker.io/library/nginx@sha256:{b'1.27'.hex().rjust(64, '0')}",
        f"ghcr.io/me/app@sha256:{b'2'.hex().rjust(64, '0')}",
        f"docker.io/library/nginx@sha256:{b'1.27'.hex().rjust(64, '0')}",
    ]
    assert registries.asked == [NGINX, APP]
    assert loaded.app_spec.constraints.architectures == ("amd64", "arm64")
    assert (loaded.private, loaded.app_spec.private) == (PrivateSpec(), False)


async def test_whoever_stands_by_gets_no_logins_so_its_images_must_be_public() -> None:
    public = Registries({NGINX: ({"amd64"}, None), APP: ({"amd64"}, None)})
    loaded = await resolve(spec("x-flux: {standby: 2}\n"), public)
    assert loaded.app_spec.standby == 2
    private = Registries({NGINX: ({"amd64"}, None), APP: ({"amd64"}, Login("me", "secret"))})
    with pytest.raises(ImagesRefused, match=r"x-flux\.standby needs images that anybody may pull, and ghcr\.io asks"):
        await resolve(spec("x-flux: {standby: 1}\n"), private)


async def test_only_architectures_that_all_images_have_are_left() -> None:
    registries = Registries({NGINX: ({"amd64", "arm64"}, None), APP: ({"arm64", "386"}, None)})
    assert (await resolve(spec(), registries)).app_spec.constraints.architectures == ("arm64",)
    with pytest.raises(ImagesRefused, match=r"the file asks for amd64; .*ghcr\.io/me/app:2 is for 386, arm64"):
        await resolve(spec("x-flux: {architectures: amd64}\n"), registries)


async def test_a_login_that_was_needed_goes_into_the_private_half() -> None:
    registries = Registries({NGINX: ({"amd64"}, None), APP: ({"amd64"}, Login("me", "token"))})
    loaded = await resolve(spec(), registries)
    assert loaded.private.registries == (RegistryCredential("ghcr.io", "me", "token"),)
    assert loaded.app_spec.private
    assert "may only read" in loaded.findings[-1].message
    assert "token" not in repr(Login("me", "token"))


async def test_all_that_is_wrong_is_said_at_once() -> None:
    registries = Registries({NGINX: RegistryUnreachable("docker.io is away"), APP: ImageNotFound("no app:2")})
    with pytest.raises(ImagesRefused, match=r"docker\.io is away; no app:2") as caught:
        await resolve(spec(), registries)
    assert not caught.value.is_unreachable
    registries = Registries({NGINX: RegistryUnreachable("docker.io is away"), APP: ({"amd64"}, None)})
    with pytest.raises(ImagesRefused) as caught:
        await resolve(spec(), registries)
    assert caught.value.is_unreachable


def test_logins_are_read_as_docker_stores_them() -> None:
    data = b"""{"auths": {
        "https://index.docker.io/v1/": {"auth": "bWU6aHViOnBhc3M="},
        "ghcr.io": {"username": "you", "password": "token"},
        "https://registry.example.org:5000/v2/": {"auth": "dGhleTo="},
        "helped.example.org": {},
        "broken.example.org": {"auth": "%%%"}},
        "credsStore": "desktop", "psFormat": "x"}"""
    assert logins_of_docker_config(data) == {
        "docker.io": Login("me", "hub:pass"),
        "ghcr.io": Login("you", "token"),
        "registry.example.org:5000": Login("they", ""),
    }
    assert logins_of_docker_config(b"{}") == {}


@pytest.mark.parametrize("data", [b"", b"[]", b'{"auths": []}', b"\xff", b'{"auths": {"a": {"auth": 5}}}'])
def test_a_configuration_that_is_none_is_one_sentence(data: bytes) -> None:
    with pytest.raises(SpecError, match="docker login"):
        logins_of_docker_config(data)
