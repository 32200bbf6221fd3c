"""What a tenant keeps private is readable in its containers alone: not on chain, in no log, in no process list."""

import asyncio
import json
import os
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiodocker
import psutil
import pytest

from flux.contracts.apps.types import AppId, Revision
from flux.primitives.types import U32, U64
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.secrets import Secrets
from support.beside import beside
from support.cloud_lab import CloudLab

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.asyncio(loop_scope="session")]
IN_ENVIRONMENT = "p4ss-planted-in-environment"
IN_COMMAND = "p4ss-planted-in-command"
IN_HEALTH = "p4ss-planted-in-health-check"
IN_LOGIN = "p4ss-planted-in-login"
IN_FILE = "p4ss-planted-in-env-file"
IN_SECRET = "p4ss-planted-in-compose-secret"
SET_LATER = "p4ss-planted-by-secret-set"
PLANTED = (IN_ENVIRONMENT, IN_COMMAND, IN_HEALTH, IN_LOGIN, IN_FILE, IN_SECRET, SET_LATER)
COMPOSE = """\
services:
  web:
    image: ${{REGISTRY}}/flux/busybox:1
    environment: {{PASSWORD: "{environment}"}}
    env_file: planted.env
    secrets: [planted]
    command: ["sh", "-c", "mkdir /tmp/www; env > /tmp/www/index.html; cat /run/secrets/* >> /tmp/www/index.html;
              exec httpd -fp 8080 -h /tmp/www", "{command}"]
    healthcheck: {{test: ["CMD", "sh", "-c", "true", "{health}"], interval: 1s}}
    ports: ["8080"]
    stop_grace_period: 1s
    deploy: {{resources: {{limits: {{cpus: "0.2", memory: 16M}}}}}}
secrets: {{planted: {{file: planted.txt}}}}
x-flux: {{http_port: 8080}}
"""


async def test_planted_passwords_are_readable_in_the_container_and_nowhere_else(lab: CloudLab) -> None:
    lab.write("planted.env", f"FROM_FILE={IN_FILE}\n")
    lab.write("planted.txt", IN_SECRET)
    text = COMPOSE.format(environment=IN_ENVIRONMENT, command=IN_COMMAND, health=IN_HEALTH)
    file = lab.write("planted.yaml", text)
    with login(lab):
        async with watched_processes() as seen, lab.deployed(file, "planted") as made:
            page = await lab.answers("planted", IN_ENVIRONMENT)
            assert IN_FILE in page.text
            assert IN_SECRET in page.text
            given = lab.write("value.txt", SET_LATER)
            await lab.flux("app", "secret", "set", "planted", "later", "--file", given, "--no-wait")
            await lab.answers("planted", SET_LATER)
            assert [item["name"] for item in await lab.flux("app", "secret", "ls", "planted")] == ["later", "planted"]
            inspected = [await inspect(lab, view.id) for view in await lab.containers(made["app"])]
            assert inspected
            assert not [text for text in inspected if SET_LATER in text or IN_SECRET in text]
            for command in (("app", "show"), ("app", "why"), ("app", "events"), ("app", "secret", "ls")):
                told = await lab.run(*command, "planted")
                assert not found_in(f"{told.output}{told.errors}".encode()), command
            app, first = AppId(U64(made["app"])), Revision(U32(1))
            assert not found_in(await Apps(lab.client).spec(app, first))
            ciphertext = await Secrets(lab.client).ciphertext(app, first)
            assert len(ciphertext) >= 256
            assert not found_in(ciphertext)
        assert len(seen) > 20
        assert not [line for line in seen if found_in(line.encode())]
    blocks = await chain_text(lab)
    assert ciphertext.hex() in blocks, "what was read is what was sent"
    assert not found_in(blocks.encode())
    files = list(stored_files(lab.home))
    assert {"data.mdb", "chain.log", "node-1.log", "caddy.log"} <= {path.name for path in files}
    assert not [path for path in files if found_in(path.read_bytes())]


async def inspect(lab: CloudLab, container: str) -> str:
    """All that the engine says of a container."""
    async with aiodocker.Docker(lab.docker) as docker:
        return json.dumps(await docker.containers.container(container).show())


def found_in(data: bytes) -> list[str]:
    """The planted words that are in there, as they are, in hexadecimal, or in base64 at any offset."""
    return [word for word in PLANTED if any(form in data for form in forms(word.encode()))]


def forms(word: bytes) -> Iterator[bytes]:
    yield word
    yield word.hex().encode()
    for offset in range(3):
        # The first and last characters also depend on what is around it.
        yield b64encode(bytes(offset) + word)[4:-4]


@contextmanager
def login(lab: CloudLab) -> Iterator[None]:
    """The tenant is logged in to the registry, which gives the node the login too."""
    folder = lab.home / "docker"
    folder.mkdir(exist_ok=True)
    auth = b64encode(f"tenant:{IN_LOGIN}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {lab.registry: {"auth": auth}}}))
    try:
        yield
    finally:
        (folder / "config.json").unlink()


@asynccontextmanager
async def watched_processes() -> AsyncIterator[set[str]]:
    """The command lines of all processes outside of containers that are seen meanwhile."""
    seen: set[str] = set()
    ours = os.readlink("/proc/self/ns/pid")

    async def watch() -> None:
        while True:
            for process in psutil.process_iter():
                try:
                    if os.readlink(f"/proc/{process.pid}/ns/pid") == ours:
                        seen.add(" ".join(process.cmdline()))
                except (psutil.Error, OSError):
                    continue  # it has ended
            await asyncio.sleep(0.02)

    async with beside(watch()):
        yield seen


async def chain_text(lab: CloudLab) -> str:
    """All blocks with their transactions and receipts, as the RPC gives them."""
    head = (await lab.client.head()).number
    calls = [("eth_getBlockByNumber", (hex(number), True)) for number in range(head + 1)]
    calls += [("eth_getBlockReceipts", (hex(number),)) for number in range(head + 1)]
    answers = [await lab.client.transport.request(method, *parameters) for method, parameters in calls]
    return json.dumps(answers)


def stored_files(home: Path) -> Iterator[Path]:
    """Everything that chain, agents, ingress and command line keep; the tenant's own files lie beside it."""
    for folder in (home / "cloud", home / "seeds"):
        yield from (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
