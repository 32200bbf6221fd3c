"""Logins of image registries, as `docker login` stores them."""

import base64
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from flux.specs.image_reference import DEFAULT_HOST
from flux.specs.loaded import SpecError


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.username!r})"


class _StoredLogin(msgspec.Struct):
    auth: str = ""
    username: str = ""
    password: str = ""


class _DockerConfig(msgspec.Struct):
    auths: dict[str, _StoredLogin] = {}


def logins_of_docker_config(data: bytes) -> dict[str, Login]:
    """The logins that `docker login` stored in config.json, by registry. Raises SpecError when it is not such a file.

    Logins kept by a credential helper are not in the file and so not found.
    """
    try:
        config = msgspec.json.decode(data, type=_DockerConfig)
    except msgspec.DecodeError as error:
        raise SpecError(f"the Docker configuration can't be read: {error}; log in again with docker login") from error
    found = {}
    for address, stored in config.auths.items():
        host = urlsplit(address).netloc if "://" in address else address.split("/")[0]
        login = _stored_login(stored)
        if login is not None:
            found[DEFAULT_HOST if host in ("index.docker.io", "registry-1.docker.io") else host] = login
    return found


def _stored_login(stored: _StoredLogin) -> Login | None:
    if stored.username:
        return Login(stored.username, stored.password)
    try:
        username, _, password = base64.b64decode(stored.auth, validate=True).decode().partition(":")
    except ValueError:
        return None
    return Login(username, password) if username else None
