"""Resolving images against a real registry (Debian's docker-registry): open, behind a password, and behind tokens."""

import base64
import datetime
import hashlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from flux.specs.docker_login import Login
from flux.specs.image_reference import parse_image_reference
from flux.specs.images import ImagesRefused, resolve
from flux.specs.load import load
from flux.specs.registry import ImageNotFound, RegistryClient, RegistryUnauthorized

LOGIN = Login("reader", "open sesame")
# bcrypt of "open sesame", as `htpasswd -B` writes it.
HTPASSWD = "reader:$2b$05$ZPewav6Bh3wOE6ON9n3fmOb53wv/xqwQUUsyQe5IUYhLFILTXX/H2\n"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, slots=True)
class Pushed:
    """What lies in the registry's storage."""

    storage: Path
    single: str
    """Digest of team/single:1, an image for arm64 alone."""
    index: str
    """Digest of team/multi:2, an index of images for amd64 and arm64."""


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@contextmanager
def serving(storage: Path, folder: Path, authentication: str = "") -> Iterator[str]:
    """A registry over that storage; yields its address."""
    program = shutil.which("docker-registry")
    assert program is not None, "docker-registry is not installed: apt-get install docker-registry"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    configuration = folder / "config.yml"
    configuration.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f'storage: {{filesystem: {{rootdirectory: "{storage}"}}}}\nhttp: {{addr: "{address}"}}\n{authentication}'
    )
    process = subprocess.Popen([program, "serve", str(configuration)], stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not is_open(address):
            assert process.poll() is None, "the registry stopped while starting"
            assert time.monotonic() < deadline, "the registry did not start in 20 s"
            time.sleep(0.02)
        yield address
    finally:
        process.terminate()
        process.wait()


def is_open(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


async def put_blob(session: aiohttp.ClientSession, base: str, blob: bytes) -> None:
    async with session.post(f"{base}/blobs/uploads/") as response:
        assert response.status == 202
        location = response.headers["Location"]
    sign = "&" if "?" in location else "?"
    async with session.put(f"{location}{sign}digest={digest_of(blob)}", data=blob) as response:
        assert response.status == 201


async def put_manifest(session: aiohttp.ClientSession, base: str, tag: str, document: object, kind: str) -> str:
    body = json.dumps(document).encode()
    async with session.put(f"{base}/manifests/{tag}", data=body, headers={"Content-Type": kind}) as response:
        assert response.status == 201, await response.text()
    return digest_of(body)


async def put_image(session: aiohttp.ClientSession, base: str, tag: str, architecture: str) -> str:
    layer = b"no real layer, but a blob"
    config = json.dumps({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers"}}).encode()
    for blob in (layer, config):
        await put_blob(session, base, blob)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)},
        "layers": [{"mediaType": LAYER, "digest": digest_of(layer), "size": len(layer)}],
    }
    return await put_manifest(session, base, tag, manifest, MANIFEST)


@pytest.fixture
async def pushed(tmp_path: Path, session: aiohttp.ClientSession) -> Pushed:
    """A storage into which a registry without a lock has put two images."""
    storage = tmp_path / "storage"
    with serving(storage, tmp_path) as address:
        single = await put_image(session, f"http://{address}/v2/team/single", "1", "arm64")
        base = f"http://{address}/v2/team/multi"
        entries = []
        for architecture in ("amd64", "arm64"):
            digest = await put_image(session, base, architecture, architecture)
            async with session.get(f"{base}/manifests/{digest}", headers={"Accept": MANIFEST}) as response:
                size = len(await response.read())
            entries.append(
                {
                    "mediaType": MANIFEST,
                    "digest": digest,
                    "size": size,
                    "platform": {"os": "linux", "architecture": architecture},
                }
            )
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        index = await put_manifest(session, base, "2", document, INDEX)
    return Pushed(storage, single, index)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def test_tags_become_digests_and_an_index_stays_an_index(pushed: Pushed, tmp_path: Path) -> None:
    with serving(pushed.storage, tmp_path) as address:
        client = RegistryClient()
        single = await client.resolve(parse_image_reference(f"{address}/team/single:1"))
        multi = await client.resolve(parse_image_reference(f"{address}/team/multi:2"))
        pinned = await client.resolve(multi.reference)
        loaded = await resolve(
            load(f"services:\n  a: {{image: '{address}/team/multi:2'}}\n  b: {{image: '{address}/team/single:1'}}\n"),
            client,
        )
        with pytest.raises(ImageNotFound, match="check its name and tag"):
            await client.resolve(parse_image_reference(f"{address}/team/multi:3"))
        with pytest.raises(ImageNotFound):
            await client.resolve(parse_image_reference(f"{address}/team/unknown"))
        with pytest.raises(ImagesRefused, match="no node can run these images"):
            await resolve(
                load(f"services: {{a: {{image: '{address}/team/single:1', platform: linux/amd64}}}}\n"), client
            )
    assert str(single.reference) == f"{address}/team/single@{pushed.single}"
    assert (single.architectures, single.login) == (frozenset(("arm64",)), None)
    assert str(multi.reference) == f"{address}/team/multi@{pushed.index}"
    assert multi.architectures == {"amd64", "arm64"}
    assert pinned == multi
    assert [component.image for component in loaded.app_spec.components] == [
        str(multi.reference),
        str(single.reference),
    ]
    assert loaded.app_spec.constraints.architectures == ("arm64",)


async def test_a_registry_behind_a_password(pushed: Pushed, tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    lock = f'auth: {{htpasswd: {{realm: registry, path: "{tmp_path / "htpasswd"}"}}}}\n'
    with serving(pushed.storage, tmp_path, lock) as address:
        reference = parse_image_reference(f"{address}/team/single:1")
        found = await RegistryClient({address: LOGIN}).resolve(reference)
        with pytest.raises(ImageNotFound, match="private"):
            await RegistryClient().resolve(reference)
        with pytest.raises(RegistryUnauthorized, match="docker login"):
            await RegistryClient({address: Login("reader", "wrong")}).resolve(reference)
    assert found.reference.digest == pushed.single
    assert found.login == LOGIN


class TokenService:
    """Grants tokens as Docker Hub does: team/multi to everybody, team/single to the reader alone."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tokens")])
        now = datetime.datetime.now(datetime.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, SHA256())
        )

    async def handle(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization")
        expected = "Basic " + base64.b64encode(f"{LOGIN.username}:{LOGIN.password}".encode()).decode()
        if given not in (None, expected):
            return web.Response(status=401)
        kind, name, actions = request.query["scope"].split(":")
        granted = actions.split(",") if given or name == "team/multi" else []
        access: list[dict[str, object]] = [{"type": kind, "name": name, "actions": granted}] if granted else []
        return web.json_response({"token": self._token(request.query["service"], access)})

    def _token(self, audience: str, access: list[dict[str, object]]) -> str:
        now = int(time.time())
        x5c = [base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()]
        claims = {
            "iss": "tokens",
            "sub": "",
            "aud": audience,
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": "1",
            "access": access,
        }
        signed = f"{_part({'typ': 'JWT', 'alg': 'ES256', 'x5c': x5c})}.{_part(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{_url_safe(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _part(document: object) -> str:
    return _url_safe(json.dumps(document).encode())


def _url_safe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


async def test_a_registry_behind_tokens(pushed: Pushed, tmp_path: Path) -> None:
    service = TokenService()
    (tmp_path / "tokens.pem").write_bytes(service.certificate.public_bytes(Encoding.PEM))
    application = web.Application()
    application.router.add_get("/token", service.handle)
    async with TestServer(application, host="127.0.0.1") as tokens:
        lock = (
            f"auth: {{token: {{realm: 'http://127.0.0.1:{tokens.port}/token', service: flux-test, issuer: tokens, "
            f'rootcertbundle: "{tmp_path / "tokens.pem"}"}}}}\n'
        )
        with serving(pushed.storage, tmp_path, lock) as address:
            public = parse_image_reference(f"{address}/team/multi:2")
            private = parse_image_reference(f"{address}/team/single:1")
            reader = RegistryClient({address: LOGIN})
            anybody = await reader.resolve(public)
            only_reader = await reader.resolve(private)
            with pytest.raises(ImageNotFound, match="private"):
                await RegistryClient().resolve(private)
            with pytest.raises(RegistryUnauthorized):
                await RegistryClient({address: Login("reader", "wrong")}).resolve(private)
    assert (anybody.reference.digest, anybody.login) == (pushed.index, None)
    assert (only_reader.reference.digest, only_reader.login) == (pushed.single, LOGIN)
