"""Deploying and operating an app from the command line, on a real chain whose nodes confirm at once."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

COMPOSE = """\
services:
  web:
    image: ${REGISTRY}/test/web:1
    command: serve --token hunter2
    environment:
      PASSWORD: hunter2
    ports: ["8080:8080"]
    deploy: {resources: {limits: {cpus: "0.5", memory: 128M}}}
x-flux:
  instances: 2
  http_port: 8080
  update: {monitor: 0}
"""


def deploy(flux: Any, name: str, *options: str) -> Any:
    return flux.json("deploy", flux.compose(COMPOSE), "--name", name, *options)


def open_nodes(flux: Any, name: str) -> dict[int, int]:
    """Nodes by instance."""
    leases = flux.json("app", "show", name)["leases"]
    return {lease["instance"]: lease["node"] for lease in leases if lease["state"] != "closed"}


def test_an_app_is_deployed_shown_explained_and_removed(flux: Any) -> None:
    made = deploy(flux, "shop", "--deposit", "50")
    assert [item["state"] for item in made["instances"]] == ["running", "running"]
    assert made["pending"] == []
    assert made["deposit"] == "50"
    assert Decimal(made["price_per_hour"]) > 0
    shown = flux.json("app", "show", "shop")
    assert shown["status"] == "active"
    assert shown["images"]["web"].startswith(f"{flux.chain.registry}/test/web@sha256:")
    assert {lease["node"] for lease in shown["leases"]} == {item["node"] for item in made["instances"]}
    assert [app["name"] for app in flux.json("app", "ls")] == ["shop"]
    why = flux.json("app", "why", "shop")
    assert "placed on node" in why["timeline"][0]["sentence"] or "paid in" in why["timeline"][0]["sentence"]
    assert {choice["instance"] for choice in why["choices"]} == {0, 1}
    assert len(why["nodes"]) == 5
    removed = flux.json("app", "rm", "shop", "--yes")
    assert Decimal(removed["refunded"]) <= 50
    assert flux.json("app", "ls") == []
    assert "No apps of 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266" in flux.ok("app", "ls")


def test_people_see_the_same_in_words(flux: Any) -> None:
    output = flux.ok("deploy", flux.compose(COMPOSE), "--name", "words")
    for text in ("is on chain in block", "runs on node", "FLUX/h", "balance", "lasts "):
        assert text in output
    assert "words" in flux.ok("app", "ls")
    assert "PLACE" in flux.ok("app", "show", "words")
    why = flux.ok("app", "why", "words", "0")
    assert "Instance 0: runs on node" in why
    assert "Why there: of 5 nodes that could take it, it asked the least." in why
    assert "Instance 1" not in why
    flux.ok("app", "rm", "words", "--yes")


def test_only_an_app_with_a_web_port_is_given_an_address(flux: Any) -> None:
    no_port = "services: {worker: {image: '${REGISTRY}/test/web:1'}}"
    for command in (("deploy", flux.compose(no_port), "--name", "worker"), ("app", "show", "worker")):
        assert flux.json(*command)["url"] is None
    assert "Where it answers" in flux.ok("app", "update", "worker", flux.compose(no_port))
    flux.ok("app", "rm", "worker", "--yes")


def test_what_is_private_is_printed_nowhere_and_kept_by_its_user_only(flux: Any) -> None:
    result = flux.run("deploy", flux.compose(COMPOSE), "--name", "private")
    assert result.exit_code == 0
    printed = result.output + json.dumps([flux.json("app", "show", "private"), flux.json("app", "why", "private")])
    printed += flux.ok("app", "events", "private")
    assert "hunter2" not in printed
    (seed,) = list((flux.home / "seeds").rglob("private.json"))
    assert seed.stat().st_mode & 0o077 == 0
    flux.ok("app", "rm", "private", "--yes")
    assert not seed.exists()


def test_keepers_hold_the_seed_of_what_was_deployed_and_of_each_version(flux: Any) -> None:
    deploy(flux, "kept")
    expected = {"generation": 1, "keepers": 4, "left": 4, "threshold": 2, "low": False}
    assert flux.json("app", "show", "kept")["keepers"] == expected
    assert "4 of 4 hold shares of its seed, any 2 open it" in flux.ok("app", "show", "kept")
    (file,) = list((flux.home / "seeds").rglob("kept.json"))
    first = json.loads(file.read_text())["seeds"]
    flux.json("app", "update", "kept", flux.compose(COMPOSE))
    assert flux.json("app", "show", "kept")["keepers"] == expected
    both = json.loads(file.read_text())["seeds"]
    assert both[:-1] == first
    assert both[-1] not in first
    assert "4 nodes keep shares of the seed of revision 2 (generation 1); any 2 open it" in flux.ok(
        "app", "why", "kept"
    )
    file.write_text(json.dumps({"seed": both[-1], "revision": 2}))
    assert flux.json("app", "seal", "kept")["given"] == 0
    file.write_text(json.dumps({"seeds": {"1": both[-1], "2": both[0]}}))
    assert flux.json("app", "seal", "kept")["given"] == 0
    file.write_text(json.dumps({"seeds": first}))
    assert "is not on this machine" in flux.json("app", "seal", "kept", code=1)["error"]["message"]
    file.write_text(json.dumps({"seeds": ["no seed"]}))
    assert "is damaged" in flux.json("app", "seal", "kept", code=1)["error"]["message"]
    file.unlink()
    flux.ok("app", "rm", "kept", "--yes")


def test_an_app_is_scaled_moved_paused_resumed_topped_up_and_updated(flux: Any) -> None:
    before = deploy(flux, "tour")
    scaled = flux.json("app", "scale", "tour", "3")
    assert [item["instance"] for item in scaled["instances"]] == [0, 1, 2]
    moved = flux.json("app", "move", "tour", "0")
    assert moved["instances"][0]["node"] != before["instances"][0]["node"]
    flux.ok("app", "pause", "tour")
    assert flux.json("app", "show", "tour")["status"] == "paused"
    assert len(flux.json("app", "resume", "tour")["instances"]) == 3
    topped = flux.json("app", "topup", "tour", "2.5")
    assert topped["added"] == "2.5"
    updated = flux.json("app", "update", "tour", flux.compose(COMPOSE.replace("8080", "8081")))
    assert updated["revision"] == 2
    assert len(updated["instances"]) == 2
    events = [json.loads(line) for line in flux.run("app", "events", "tour", "--json").stdout.splitlines()]
    assert {"Deposited", "LeaseAssigned", "LeaseRunning", "LeaseClosed", "AppUpdated"} <= {e["event"] for e in events}
    assert any("its owner moved it" in event["sentence"] for event in events)
    assert flux.json("app", "seal", "tour")["given"] == 0
    flux.ok("app", "rm", "tour", "--yes")


def test_nodes_are_drained_and_apps_rebalanced(flux: Any) -> None:
    public = "".join(line for line in COMPOSE.splitlines(keepends=True) if "hunter2" not in line)
    public = public.replace("    environment:\n", "")
    before = flux.json("deploy", flux.compose(public), "--name", "calm")["instances"][0]["node"]
    drained = flux.json("node", "drain", str(before), "--account", f"dev{before}")
    assert (drained["draining"], drained["leases"]) == (True, 0)
    assert before not in open_nodes(flux, "calm").values()
    assert flux.json("node", "show", str(before))["drains_until"] > 0
    assert "draining" in flux.ok("node", "ls")
    assert "its operator drains it" in flux.ok("app", "why", "calm")
    assert "the node was drained by its operator" in flux.ok("app", "events", "calm")
    assert not flux.json("node", "drain", str(before), "--undo", "--account", f"dev{before}")["draining"]
    plan = flux.json("app", "rebalance", "calm", "--dry-run")
    (move,) = plan["moves"]
    assert (move["to"], plan["done"]) == (before, False)
    assert Decimal(plan["saved_per_hour"]) > 0
    assert "Saved" in flux.ok("app", "rebalance", "calm")
    assert open_nodes(flux, "calm")[move["instance"]] == before
    assert "would be cheaper" in flux.ok("app", "rebalance", "calm")
    flux.ok("app", "rm", "calm", "--yes")


def test_a_plan_costs_nothing_and_names_every_node(flux: Any) -> None:
    plan = flux.json("plan", flux.compose(COMPOSE), "--geo", "acEU", "--geo", "acAS")
    able = {node["place"][:2] for node in plan["nodes"] if node["able"]}
    assert able == {"EU", "AS"}
    assert {node["rejection"] for node in plan["nodes"] if not node["able"]} == {"geo"}
    assert plan["enough_nodes"]
    assert flux.json("app", "ls") == []
    assert "the geo rules exclude its location" in flux.ok("plan", flux.compose(COMPOSE), "--geo", "acEU")


def test_a_spec_that_too_few_nodes_can_run_is_refused_with_the_reasons_counted(flux: Any) -> None:
    error = flux.json("deploy", flux.compose(COMPOSE), "--name", "far", "--geo", "acAF", code=3)["error"]
    assert error["message"] == (
        "0 nodes can run it and 2 instances are wanted (5 nodes: the geo rules exclude its location)"
    )
    assert "--queue" in error["hint"]
    assert flux.json("plan", flux.compose(COMPOSE), "--geo", "acAF", code=1)["enough_nodes"] is False
    queued = deploy(flux, "far", "--geo", "acAF", "--queue")
    assert queued["pending"] == [0, 1]
    waits = flux.run("app", "why", "far").output
    assert "waits for a node" in waits
    flux.ok("app", "rm", "far", "--yes")


def test_an_image_that_does_not_exist_is_refused_before_money_moves(flux: Any) -> None:
    before = flux.json("wallet", "balance")["balance"]
    file = flux.compose(COMPOSE.replace("/test/web", "/nothing/web"))
    error = flux.json("deploy", file, "--name", "ghost", code=1)["error"]
    assert "/nothing/web:1 does not exist" in error["message"]
    assert "nothing was paid" in error["hint"]
    assert flux.json("wallet", "balance")["balance"] == before


def test_a_name_that_is_taken_is_refused_with_what_to_do(flux: Any) -> None:
    deploy(flux, "mine")
    error = flux.json("deploy", flux.compose(COMPOSE), "--name", "mine", code=3)["error"]
    assert error["kind"] == "NameTaken"
    assert "flux app update mine" in error["hint"]
    flux.ok("app", "rm", "mine", "--yes")


def test_only_the_owner_may_change_an_app(flux: Any) -> None:
    deploy(flux, "owned")
    error = flux.json("app", "scale", "owned", "1", "--account", "dev7", code=3)["error"]
    assert error["kind"] == "NotOwner"
    assert error["hint"] == "sign with --account dev0"
    assert flux.json("app", "ls", "--account", "dev7") == []
    assert [app["name"] for app in flux.json("app", "ls", "--all", "--account", "dev7")] == ["owned"]
    flux.ok("app", "rm", "owned", "--yes")


def test_removing_asks_first(flux: Any) -> None:
    deploy(flux, "careful")
    result = flux.run("app", "rm", "careful")
    assert result.exit_code == 2
    assert "--yes" in result.output
    flux.ok("app", "rm", "careful", "--yes")


def test_waiting_ends_with_a_sentence_and_the_app_stays(flux: Any) -> None:
    flux.chain.hold = True
    try:
        error = flux.json("deploy", flux.compose(COMPOSE), "--name", "slow", "--timeout", "1", code=1)["error"]
    finally:
        flux.chain.hold = False
    assert "not all instances of slow run after 1 s" in error["message"]
    assert "flux app why slow" in error["hint"]
    assert flux.json("app", "show", "slow")["status"] == "active"
    flux.ok("app", "rm", "slow", "--yes")


def test_instances_that_find_no_node_are_told_of(flux: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flux.cli.rollout.WAITING_SECONDS", 0)
    deploy(flux, "wide")
    result = flux.run("app", "scale", "wide", "7", "--timeout", "12")
    assert result.exit_code == 1, result.output
    assert result.stderr.count("2 instances without a node so far: see why with `flux app why wide`") == 1
    flux.ok("app", "rm", "wide", "--yes")


def test_who_interrupts_the_wait_is_told_that_the_app_stays(flux: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: object) -> AsyncIterator[None]:
        signal.raise_signal(signal.SIGINT)
        await asyncio.Event().wait()
        yield

    with monkeypatch.context() as patched:
        patched.setattr("flux.cli.rollout.follow", interrupted)
        result = flux.run("deploy", flux.compose(COMPOSE), "--name", "left")
    assert result.exit_code == 130
    assert "the app stays deployed, and `flux app seal left` gives its seed to nodes that do not" in result.stderr
    assert "see `flux app show left`" in result.stderr
    flux.ok("app", "rm", "left", "--yes")


def test_without_waiting_the_seed_is_given_and_the_command_returns(flux: Any) -> None:
    flux.chain.hold = True
    try:
        made = deploy(flux, "quick", "--no-wait")
    finally:
        flux.chain.hold = False
    assert {item["state"] for item in made["instances"]} == {"assigned"}
    assert flux.json("app", "seal", "quick")["given"] <= 2
    flux.ok("app", "rm", "quick", "--yes")


def test_a_file_that_cannot_be_used_is_wrong_usage_whatever_the_command(flux: Any, tmp_path: Path) -> None:
    deploy(flux, "files", "--instances", "1")
    absent = str(tmp_path / "absent")
    for command in (
        ("app", "restore", "files", "--from", absent, "--yes"),
        ("app", "restore", "files", "--from", str(tmp_path), "--yes"),
        ("app", "secret", "set", "files", "key", "--file", absent),
        ("app", "update", "files", absent),
        ("wallet", "import", "mine", "--keystore", absent),
        ("dao", "propose", "Title", "--description", absent),
    ):
        error = flux.json(*command, code=2)["error"]
        assert "can't be read" in error["message"], command
        assert "check the path" in error["message"] + error.get("hint", ""), command
    flux.ok("app", "rm", "files", "--yes")


def test_an_app_that_is_not_there_is_named(flux: Any) -> None:
    for verb in (["show"], ["why"], ["pause"], ["logs"], ["events"]):
        error = flux.json("app", *verb, "nobody", code=3)["error"]
        assert error["kind"] == "UnknownApp"
        assert "flux app ls" in error["hint"]
    assert flux.json("app", "show", "99999", code=3)["error"]["kind"] == "UnknownApp"
