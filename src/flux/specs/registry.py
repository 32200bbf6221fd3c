"""Asks image registries what a name stands for: its digest and its architectures (OCI Distribution API v2).

Anonymous first; a login is used only where the registry asks for one. Loopback registries are spoken to in plain HTTP.
"""

import base64
import hashlib
import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from flux.sdk.plain_http import Answer, fetch
from flux.specs.docker_login import Login
from flux.specs.image_reference import DEFAULT_HOST, ImageReference
from flux.specs.loaded import SpecError

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
SECONDS = 30.0
"""For one request."""

_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?", re.ASCII)
_PARAMETER = re.compile(r'([a-zA-Z_]+)="([^"]*)"')


class RegistryError(SpecError):
    """A registry did not tell what an image is."""


class ImageNotFound(RegistryError):
    """There is no such image, or only for those who log in."""


class RegistryUnauthorized(RegistryError):
    """The registry did not accept the login."""


class RegistryUnreachable(RegistryError):
    """The registry did not answer, or not in time; trying again may help."""


class RegistryMisbehaved(RegistryError):
    """The registry answered something that is not an image."""


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    reference: ImageReference
    """By digest; of an image for several architectures, the digest of its index."""
    architectures: frozenset[str]
    """In the words of the registry: amd64, arm64, …"""
    login: Login | None
    """The login without which the registry did not answer."""


class _Platform(msgspec.Struct):
    architecture: str = ""
    os: str = ""


class _Descriptor(msgspec.Struct):
    digest: str = ""
    platform: _Platform | None = None


class _Document(msgspec.Struct, rename={"media_type": "mediaType"}):
    """An index, a manifest, or an image's configuration: those fields of each that matter here."""

    media_type: str = ""
    manifests: list[_Descriptor] = []
    config: _Descriptor | None = None


class _Configuration(msgspec.Struct):
    architecture: str = ""


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class RegistryClient:
    """Resolves images."""

    def __init__(self, logins: Mapping[str, Login] | None = None) -> None:
        self._logins = dict(logins or {})

    async def resolve(self, reference: ImageReference) -> ResolvedImage:
        """Digest and architectures of the image. Raises a RegistryError that says what to do."""
        try:
            return await _Conversation(reference, self._logins.get(reference.host)).resolve()
        except (OSError, http.client.HTTPException) as error:  # TimeoutError is one
            reason = str(error) or type(error).__name__
            raise RegistryUnreachable(
                f"the registry {reference.host} can't be reached for {reference}: {reason}; check the name of the "
                "registry and the network, then try again"
            ) from error


class _Conversation:
    """What is said to one registry about one image."""

    def __init__(self, reference: ImageReference, login: Login | None) -> None:
        host = "registry-1.docker.io" if reference.host == DEFAULT_HOST else reference.host
        scheme = "http" if _LOOPBACK.fullmatch(reference.host) else "https"
        self._base = f"{scheme}://{host}/v2/{reference.path}"
        self._reference = reference
        self._login = login
        self._used_login: Login | None = None
        self._authorization: str | None = None

    async def resolve(self) -> ResolvedImage:
        body, content_type = await self._get(f"/manifests/{self._reference.target}")
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if self._reference.digest not in (None, digest):
            raise RegistryMisbehaved(f"the registry sent other bytes than those of {self._reference}: don't use it")
        document = _decode(body, _Document, self._reference)
        kind = content_type if content_type in (*INDEX_TYPES, *MANIFEST_TYPES) else document.media_type
        if kind in INDEX_TYPES:
            architectures = frozenset(
                entry.platform.architecture
                for entry in document.manifests
                if entry.platform is not None and entry.platform.os == "linux"
            )
        elif kind in MANIFEST_TYPES and document.config is not None:
            architectures = frozenset((await self._architecture(document.config.digest),))
        else:
            raise RegistryMisbehaved(
                f"{self._reference} is not a container image in a current format ({kind[:80] or 'unknown'}): push it "
                "again with a current tool"
            )
        return ResolvedImage(self._reference.pinned(digest), architectures, self._used_login)

    async def _architecture(self, digest: str) -> str:
        body, _ = await self._get(f"/blobs/{digest}")
        return _decode(body, _Configuration, self._reference).architecture

    async def _get(self, path: str) -> tuple[bytes, str]:
        """The document and its type, asking for authorization when the registry wants it."""
        for login in (None, self._login):
            answer = await self._request(self._base + path)
            if answer.status not in (401, 403):
                return self._document(answer)
            challenge = answer.headers.get("WWW-Authenticate", "")
            if not await self._authorize(challenge, login):
                continue
            self._used_login = login
            answer = await self._request(self._base + path)
            if answer.status not in (401, 403):
                return self._document(answer)
            self._authorization = None
        if self._login is not None:
            raise RegistryUnauthorized(
                f"{self._reference.host} does not let {self._login.username} read {self._reference}: check the name of "
                f"the image, or log in again (docker login {self._reference.host})"
            )
        raise ImageNotFound(
            f"the image {self._reference} does not exist, or is private: check its name and tag, or log in "
            f"(docker login {self._reference.host})"
        )

    async def _request(self, url: str) -> Answer:
        headers = {"Accept": ", ".join((*INDEX_TYPES, *MANIFEST_TYPES, "*/*;q=0.1"))}
        if self._authorization is not None:
            headers["Authorization"] = self._authorization
        return await fetch(url, headers, MAX_DOCUMENT_BYTES + 1, SECONDS)

    def _document(self, response: Answer) -> tuple[bytes, str]:
        if response.status == 404:
            raise ImageNotFound(f"the image {self._reference} does not exist: check its name and tag")
        if response.status == 429:
            raise RegistryUnreachable(
                f"{self._reference.host} answers no more requests for now: wait, or log in "
                f"(docker login {self._reference.host})"
            )
        if response.status >= 500:
            raise RegistryUnreachable(f"{self._reference.host} is in trouble (HTTP {response.status}): try again later")
        if response.status != 200:
            raise RegistryMisbehaved(f"{self._reference.host} answered HTTP {response.status} for {self._reference}")
        return _bounded(response, self._reference), response.headers.get("Content-Type", "").split(";")[0].strip()

    async def _authorize(self, challenge: str, login: Login | None) -> bool:
        """Whether there is an authorization to try next."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            if login is not None:
                self._authorization = _basic(login)
            return login is not None
        if scheme.lower() != "bearer":
            return False
        parameters = dict(_PARAMETER.findall(rest))
        token = await self._token(parameters, login)
        self._authorization = f"Bearer {token}" if token else None
        return token is not None

    async def _token(self, parameters: Mapping[str, str], login: Login | None) -> str | None:
        realm = urlsplit(parameters.get("realm", ""))
        if realm.scheme != "https" and not (realm.scheme == "http" and _LOOPBACK.fullmatch(realm.netloc)):
            raise RegistryMisbehaved(
                f"{self._reference.host} sends logins to {parameters.get('realm', '')[:80]!r}, which is not encrypted"
            )
        query = {name: parameters[name] for name in ("service", "scope") if name in parameters}
        query.setdefault("scope", f"repository:{self._reference.path}:pull")
        headers = {"Authorization": _basic(login)} if login is not None else {}
        url = realm._replace(query="&".join(part for part in (realm.query, urlencode(query)) if part)).geturl()
        response = await fetch(url, headers, MAX_DOCUMENT_BYTES + 1, SECONDS)
        if response.status != 200:
            return None
        answer = _decode(_bounded(response, self._reference), _Token, self._reference)
        return answer.token or answer.access_token or None


Shape = TypeVar("Shape", _Document, _Configuration, _Token)


def _bounded(answer: Answer, reference: ImageReference) -> bytes:
    if len(answer.body) > MAX_DOCUMENT_BYTES:
        raise RegistryMisbehaved(f"{reference.host} sent more than {MAX_DOCUMENT_BYTES} bytes for {reference}")
    return answer.body


def _decode(body: bytes, shape: type[Shape], reference: ImageReference) -> Shape:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.DecodeError as error:
        raise RegistryMisbehaved(f"{reference.host} did not answer with an image for {reference}: {error}") from error


def _basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
