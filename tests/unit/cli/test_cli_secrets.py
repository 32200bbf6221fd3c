"""`flux app secret`: set, listed and removed by the owner, a new revision each time, and printed nowhere."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flux.cli.seeds import SeedStore
from flux.contracts.apps.types import AppId, PrivateSpec, Revision
from flux.primitives.types import U32, U64
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient
from flux.sdk.transport import HttpTransport
from flux.specs.private_half import decrypt, encrypt

COMPOSE = """\
services:
  web:
    image: ${REGISTRY}/test/web:1
    ports: ["8080"]
    deploy: {resources: {limits: {cpus: "0.2", memory: 64M}}}
  worker:
    image: ${REGISTRY}/test/worker:1
    deploy: {resources: {limits: {cpus: "0.2", memory: 64M}}}
x-flux:
  update: {monitor: 0}
"""
VALUE = "p4ss-planted"


def private_of(flux: Any, app: int, name: str, revision: int) -> PrivateSpec:
    """What lease holders read of a revision."""
    (file,) = (flux.home / "seeds").rglob(f"{name}.json")

    async def fetch() -> bytes:
        async with HttpTransport(flux.chain.rpc) as transport:
            secrets = Secrets(FluxClient(transport))
            return await secrets.ciphertext(AppId(U64(app)), Revision(U32(revision)))

    ciphertext = asyncio.run(fetch())
    seed = SeedStore(file.parent).find(name, ciphertext)
    assert seed is not None
    return decrypt(ciphertext, seed)


def test_secrets_are_set_listed_replaced_and_removed(flux: Any) -> None:
    app = flux.json("deploy", flux.compose(COMPOSE), "--name", "safe")["app"]
    assert flux.json("app", "secret", "ls", "safe") == []
    begun = int(time.time())
    done = flux.run("app", "secret", "set", "safe", "password", "--component", "web", "--json", input=f"{VALUE}\n")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["revision"] == 2
    (secret,) = private_of(flux, app, "safe", 2).secrets
    assert (secret.name, secret.value, secret.components) == ("password", VALUE.encode(), ("web",))
    path = flux.home / "key.bin"
    path.write_bytes(b"\x00\n")
    flux.ok("app", "secret", "set", "safe", "key", "--file", str(path), "--path", "/etc/key", "--mode", "0400")
    assert flux.run("app", "secret", "set", "safe", "TOKEN", "--env", input="t0ken").exit_code == 0
    listed = flux.json("app", "secret", "ls", "safe")
    assert [item["name"] for item in listed] == ["TOKEN", "key", "password"]
    assert [item["path"] for item in listed] == [None, "/etc/key", "/run/secrets/password"]
    assert all(begun <= item["set_at"] <= time.time() for item in listed)
    secrets = private_of(flux, app, "safe", 4).secrets
    assert [(item.value, item.mode) for item in secrets] == [
        (b"t0ken", 0o444),
        (b"\x00\n", 0o400),
        (VALUE.encode(), 0o444),
    ]
    table = flux.ok("app", "secret", "ls", "safe")
    assert "variable TOKEN" in table
    removed = flux.json("app", "secret", "rm", "safe", "key")
    assert removed["revision"] == 5
    printed = done.output + table + json.dumps([listed, removed]) + flux.ok("app", "why", "safe")
    assert VALUE not in printed
    assert "t0ken" not in printed
    assert "no secret key" in flux.json("app", "secret", "rm", "safe", "key", code=1)["error"]["message"]
    flux.ok("app", "rm", "safe", "--yes")


def test_commands_at_the_same_time_lose_no_seed_and_mistake_none(tmp_path: Path) -> None:
    store = SeedStore(tmp_path / "seeds")
    made = [encrypt(PrivateSpec()) for _ in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda pair: store.keep("app", pair[1]), made))
    assert [store.find("app", ciphertext) for ciphertext, _ in made] == [seed for _, seed in made]
    assert store.find("app", encrypt(PrivateSpec())[0]) is None


def test_a_seed_whose_revision_was_never_made_hides_no_other(flux: Any) -> None:
    flux.json("deploy", flux.compose(COMPOSE), "--name", "tried")
    assert flux.run("app", "secret", "set", "tried", "a", input="b").exit_code == 0
    (file,) = (flux.home / "seeds").rglob("tried.json")
    SeedStore(file.parent).keep("tried", encrypt(PrivateSpec())[1])
    (listed,) = flux.json("app", "secret", "ls", "tried")
    assert listed["name"] == "a"
    assert flux.json("app", "secret", "rm", "tried", "a")["revision"] == 3
    flux.ok("app", "rm", "tried", "--yes")


def test_an_update_keeps_what_was_set_and_the_files_own_goes_before_it(flux: Any) -> None:
    app = flux.json("deploy", flux.compose(COMPOSE), "--name", "both")["app"]
    for name in ("mine", "shared"):
        assert flux.run("app", "secret", "set", "both", name, input="set").exit_code == 0
    (flux.home / "file.txt").write_text("from the file")
    text = COMPOSE.replace("  worker:", "    secrets: [shared]\n  worker:") + "secrets: {shared: {file: ./file.txt}}\n"
    updated = flux.run("app", "update", "both", flux.compose(text))
    assert updated.exit_code == 0, updated.output
    assert "shared comes from the file again" in updated.output
    secrets = private_of(flux, app, "both", 4).secrets
    assert [(item.name, item.value) for item in secrets] == [("mine", b"set"), ("shared", b"from the file")]
    assert [item["set_at"] is None for item in flux.json("app", "secret", "ls", "both")] == [False, True]
    flux.ok("app", "rm", "both", "--yes")


def test_without_the_seed_it_says_what_to_do(flux: Any) -> None:
    flux.json("deploy", flux.compose(COMPOSE), "--name", "lost")
    assert flux.run("app", "secret", "set", "lost", "a", input="b").exit_code == 0
    (file,) = (flux.home / "seeds").rglob("lost.json")
    kept = file.read_bytes()
    file.unlink()
    for command in (("ls", "lost"), ("set", "lost", "a", "c"), ("rm", "lost", "a")):
        error = flux.json("app", "secret", *command, code=1)["error"]
        assert "is not on this machine" in error["message"]
        assert str(file.parent) in error["hint"]
    assert "are left out" in flux.ok("app", "update", "lost", flux.compose(COMPOSE))
    assert flux.json("app", "secret", "ls", "lost") == []
    file.write_bytes(kept)
    flux.ok("app", "rm", "lost", "--yes")


def test_what_is_no_secret_is_refused_before_anything_is_sent(flux: Any) -> None:
    flux.json("deploy", flux.compose(COMPOSE), "--name", "picky")
    big = flux.home / "big"
    big.write_bytes(bytes(40_000))
    refused: list[tuple[str, ...]] = [
        ("bad/name", "x"),
        ("..", "x"),
        ("1st", "x", "--env"),
        ("a", "x", "--mode", "9"),
        ("a", "x", "--path", "relative"),
        ("a", "x", "--path", "/p", "--env"),
        ("a", "x", "--component", "nobody"),
        ("a", "x", "--file", str(big)),
        ("a", "--file", str(big)),
        ("a", ""),
    ]
    for arguments in refused:
        assert "error" in flux.json("app", "secret", "set", "picky", *arguments, code=2), arguments
    binary = flux.home / "binary"
    binary.write_bytes(b"\xff\x00")
    flux.json("app", "secret", "set", "picky", "A", "--env", "--file", str(binary), code=2)
    flux.json("app", "secret", "set", "picky", "a", "--file", str(flux.home / "absent"), code=2)
    assert flux.json("app", "show", "picky")["revision"] == 1
    flux.ok("app", "rm", "picky", "--yes")


def test_a_change_is_waited_for_unless_asked_otherwise(flux: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    flux.json("deploy", flux.compose(COMPOSE), "--name", "patient")
    for name in ("LEAST_PATIENCE", "STEP_SECONDS"):
        monkeypatch.setattr(f"flux.cli.app.update.{name}", 1)
    flux.chain.hold = True
    try:
        error = flux.json("app", "secret", "set", "patient", "key", "value", code=1)["error"]
        assert "not all instances of patient run after" in error["message"]
        flux.ok("app", "secret", "set", "patient", "other", "value", "--no-wait")
        error = flux.json("app", "secret", "rm", "patient", "key", code=1)["error"]
        assert "the rollout goes on by itself" in error["message"]
    finally:
        flux.chain.hold = False
    flux.ok("app", "rm", "patient", "--yes")
