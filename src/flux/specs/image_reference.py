"""Names of images: host/path:tag@digest, with Docker Hub's defaults (distribution/reference grammar)."""

import re
from dataclasses import dataclass

DEFAULT_HOST = "docker.io"
DEFAULT_TAG = "latest"
MAX_LENGTH = 255

_HOST = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*"
    r"|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?",
    re.ASCII,
)
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


class ImageReferenceError(ValueError):
    """The text is not the name of an image."""


@dataclass(frozen=True, slots=True)
class ImageReference:
    host: str
    """The registry as people name it: docker.io, ghcr.io, 127.0.0.1:5000."""
    path: str
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}@{self.digest}" if self.digest else f"{self.repository}{tag}"

    @property
    def repository(self) -> str:
        return f"{self.host}/{self.path}"

    @property
    def target(self) -> str:
        """What the registry is asked for: the digest, or else the tag."""
        return self.digest or self.tag or DEFAULT_TAG

    def pinned(self, digest: str) -> "ImageReference":
        """The same image by digest alone, as it stands on chain."""
        return ImageReference(self.host, self.path, None, digest)


def parse_image_reference(text: str) -> ImageReference:
    """The reference with Docker Hub's defaults put in: nginx is docker.io/library/nginx:latest."""
    shown = repr(text) if len(text) <= 80 else f"{text[:80]!r}…"
    if not text or len(text) > MAX_LENGTH:
        raise ImageReferenceError(f"expected the name of an image such as nginx:1.27, got {shown}")
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ImageReferenceError(f"the digest in {shown} is not sha256: and 64 hexadecimal digits in lower case")
    slash = name.rfind("/")
    colon = name.rfind(":")
    name, tag = (name[:colon], name[colon + 1 :]) if colon > slash else (name, None)
    if tag is not None and not _TAG.fullmatch(tag):
        raise ImageReferenceError(f"the tag in {shown} is not 1–128 of letters, digits, and _ . -")
    host, path = _split_host(name)
    if not _HOST.fullmatch(host):
        raise ImageReferenceError(f"{host[:60]!r} in {shown} is not the name of a registry")
    if not all(_PART.fullmatch(part) for part in path.split("/")):
        hint = ": names of images are lower case" if path != path.lower() else ""
        raise ImageReferenceError(f"{shown} is not the name of an image such as nginx:1.27 or ghcr.io/me/app:1{hint}")
    return ImageReference(host, path, None if digest and tag is None else tag or DEFAULT_TAG, digest or None)


def _split_host(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        if first in ("index.docker.io", "registry-1.docker.io"):
            first = DEFAULT_HOST
        if first != DEFAULT_HOST:
            return first, rest
        name = rest
    return DEFAULT_HOST, name if "/" in name else f"library/{name}"
