"""Operators take part in consensus and leave it again, on a real chain in memory."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from flux.agent.onion import FILE
from flux.primitives import ed25519

SEED = bytes(range(32))


def key_file(folder: Path, kind: str = "tendermint/PrivKeyEd25519") -> str:
    path = folder / "priv_validator_key.json"
    folder.mkdir(parents=True, exist_ok=True)
    value = base64.b64encode(SEED + ed25519.public_key_of(SEED)).decode()
    path.write_text(json.dumps({"priv_key": {"type": kind, "value": value}}))
    return str(path)


@pytest.fixture
def node(flux: Any) -> str:
    """A node of our own."""
    flux.json("node", "init")
    size = ("--cpu", "2", "--memory", "2048", "--disk", "10000")
    made = flux.json("node", "register", "--location", "SA/BR/SP", *size, "--account", "dev8")
    return str(made["node"])


def test_a_node_opts_in_is_shown_and_opts_out(flux: Any, node: str, tmp_path: Path) -> None:
    assert "one process makes the blocks" in flux.ok("validator", "ls")
    account = ("--account", "dev8")
    made = flux.json("validator", "on", node, "--key", key_file(tmp_path), *account)
    assert made["public_key"] == ed25519.public_key_of(SEED).hex()
    assert (flux.home / "node" / FILE).exists()
    shown = flux.json("validator", "show", node)
    assert (shown["status"], shown["power"], shown["reveals_left"]) == ("active", 0, 20_000)
    assert "no seat" in flux.ok("validator", "show", node)
    listed = flux.json("validator", "ls")
    assert [(item["node"], item["consensus"]) for item in listed["without_seat"]] == [(int(node), made["consensus"])]
    assert made["consensus"].upper() in flux.ok("validator", "ls")
    again = flux.json("validator", "on", node, "--key", key_file(tmp_path), *account, code=3)
    assert again["error"]["kind"] == "AlreadyValidator"
    renewed = flux.json("validator", "onion", node, *account)
    assert renewed["onion"].startswith("0x")
    jailed = flux.json("validator", "unjail", node, *account, code=3)
    assert jailed["error"]["kind"] == "NotJailed"
    assert flux.json("validator", "off", node, *account)["seated"] is False
    assert flux.json("validator", "show", node, code=3)["error"]["kind"] == "NotValidator"


def test_a_key_that_cannot_be_read_is_named(flux: Any, tmp_path: Path) -> None:
    missing = flux.json("validator", "on", "1", "--key", str(tmp_path / "none.json"), code=1)["error"]
    assert "missing" in missing["message"]
    other = key_file(tmp_path, kind="tendermint/PrivKeySecp256k1")
    assert "not an ed25519 key" in flux.json("validator", "on", "1", "--key", other, code=1)["error"]["message"]
    Path(other).write_text("[]")
    assert "priv_validator_key" in flux.json("validator", "on", "1", "--key", other, code=1)["error"]["message"]
