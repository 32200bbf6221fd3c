"""Pushing an image into a registry by its HTTP API (OCI distribution specification), without a Docker Engine."""

import hashlib
import http.client
from collections.abc import Iterable
from urllib.parse import urlsplit

from tools.errors import ToolError

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest_of(data: bytes) -> str:
    """The name that registries give to these bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class RegistryClient:
    """One connection to a registry."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._connection = http.client.HTTPConnection(host, timeout=60)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def push(self, repository: str, tag: str, manifest: bytes, blobs: Iterable[bytes]) -> str:
        """Push the blobs that the registry lacks and then the manifest; returns the manifest's digest."""
        for blob in blobs:
            self._push_blob(repository, blob)
        self._ask("PUT", f"/v2/{repository}/manifests/{tag}", 201, manifest, MANIFEST_TYPE)
        return digest_of(manifest)

    def _push_blob(self, repository: str, blob: bytes) -> None:
        digest = digest_of(blob)
        self._connection.request("HEAD", f"/v2/{repository}/blobs/{digest}")
        answer = self._connection.getresponse()
        answer.read()
        if answer.status == 200:
            return
        location = urlsplit(self._ask("POST", f"/v2/{repository}/blobs/uploads/", 202))
        query = f"{location.query}&digest={digest}" if location.query else f"digest={digest}"
        self._ask("PUT", f"{location.path}?{query}", 201, blob, "application/octet-stream")

    def _ask(self, method: str, path: str, expected: int, body: bytes = b"", content_type: str = "") -> str:
        """Send a request and return the Location of the answer."""
        headers = {"Content-Type": content_type} if content_type else {}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != expected:
            raise ToolError(f"The registry at {self._host} answered {answer.status} to {method} {path}: {text!r}")
        return answer.headers.get("Location", "")
