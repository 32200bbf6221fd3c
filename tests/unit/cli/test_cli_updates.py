"""Updating and going back from the command line, on a real chain whose nodes confirm at once and fail a bad image."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from flux.sdk.deployment import follow

COMPOSE = """\
services:
  web:
    image: ${REGISTRY}/test/IMAGE:1
    command: serve --token hunter2
    environment: {COLOUR: hunter2}
    ports: ["8080:8080"]
    deploy: {resources: {limits: {cpus: "0.5", memory: 128M}}}
x-flux:
  instances: 3
  http_port: 8080
  update: {monitor: MONITOR, on_failure: ACTION}
"""


def file(flux: Any, image: str = "web", *, monitor: int = 0, action: str = "rollback", **changes: str) -> str:
    text = COMPOSE.replace("IMAGE", image).replace("MONITOR", str(monitor)).replace("ACTION", action)
    for old, new in changes.items():
        text = text.replace(old, new)
    return str(flux.compose(text))


def revisions(flux: Any, name: str) -> list[int]:
    leases = flux.json("app", "show", name)["leases"]
    return [lease["revision"] for lease in leases if lease["state"] == "running"]


def test_an_update_goes_through_step_by_step_and_the_history_shows_it(flux: Any) -> None:
    flux.json("deploy", file(flux), "--name", "good")
    updated = flux.json("app", "update", "good", file(flux, COLOUR="SHAPE", monitor=1))
    assert updated["revision"] == 2
    assert revisions(flux, "good") == [2, 2, 2]
    shown = flux.json("app", "show", "good")
    assert [item["revision"] for item in shown["revisions"]] == [1, 2]
    rollout = shown["rollout"]
    assert (rollout["state"], rollout["from"], rollout["to"], rollout["steps"]) == ("done", 1, 2, 3)
    assert rollout["ended_at"] - rollout["started_at"] >= 3
    assert "to revision 2 is done" in flux.ok("app", "show", "good")
    events = flux.ok("app", "events", "good")
    assert "the rollout to revision 2 begins; 1 ran last" in events
    assert "the rollout to revision 2 is done" in events
    flux.ok("app", "rm", "good", "--yes")


def test_a_bad_image_goes_back_by_itself_and_the_command_says_that_it_failed(flux: Any) -> None:
    flux.json("deploy", file(flux), "--name", "spoilt")
    error = flux.json("app", "update", "spoilt", file(flux, "bad"), code=1)["error"]
    assert error["kind"] == "RolloutFailed"
    assert "web ended with exit status 1; all instances run revision 1 again" in error["message"]
    assert revisions(flux, "spoilt") == [1, 1, 1]
    assert flux.json("app", "show", "spoilt")["rollout"]["state"] == "failed"
    assert "failed, everything goes back to revision 1: instance 0" in flux.ok("app", "why", "spoilt")
    assert flux.json("app", "update", "spoilt", file(flux, "web2"))["revision"] == 3
    flux.ok("app", "rm", "spoilt", "--yes")


def test_a_paused_rollout_is_a_failure_that_the_owner_ends(flux: Any) -> None:
    flux.json("deploy", file(flux), "--name", "held")
    error = flux.json("app", "update", "held", file(flux, "bad", action="pause"), code=1)["error"]
    assert "it is paused" in error["message"]
    assert "flux app rollback held" in error["hint"]
    assert flux.json("app", "rollback", "held")["revision"] == 1
    assert revisions(flux, "held") == [1, 1, 1]
    flux.ok("app", "rm", "held", "--yes")


def test_nothing_is_waited_for_while_the_app_is_paused(flux: Any) -> None:
    flux.json("deploy", file(flux), "--name", "resting")
    flux.ok("app", "pause", "resting")
    done = flux.run("app", "update", "resting", file(flux, "web2"))
    assert done.exit_code == 0, done.output
    assert "resting is paused: it runs revision 2 after `flux app resume resting`" in done.stderr
    flux.ok("app", "resume", "resting")
    assert revisions(flux, "resting") == [2, 2, 2]
    flux.ok("app", "rm", "resting", "--yes")


def test_who_waits_for_an_update_is_told_that_the_app_was_removed(flux: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    flux.json("deploy", file(flux), "--name", "gone")

    async def follow_after_removal(*arguments: Any) -> AsyncIterator[Any]:
        removed = await asyncio.to_thread(flux.run, "app", "rm", "gone", "--yes")
        assert removed.exit_code == 0, removed.output
        async for state in follow(*arguments):
            yield state

    monkeypatch.setattr("flux.cli.rollout.follow", follow_after_removal)
    error = flux.json("app", "update", "gone", file(flux, "web2"), code=1)["error"]
    assert (error["kind"], error["message"]) == ("AppRemoved", "gone was removed meanwhile")


def test_a_dry_run_prints_the_plan_and_no_value(flux: Any) -> None:
    flux.json("deploy", file(flux), "--name", "planned")
    newer = file(flux, "web2", **{"COLOUR: hunter2": "COLOUR: hunter3, SIZE: hunter4", '"0.5"': '"1"'})
    plan = flux.json("app", "update", "planned", newer, "--dry-run", "--instances", "4")
    changes = {item["what"]: (item["before"], item["after"]) for item in plan["changes"]}
    assert changes["web: cpu"] == ("0.5 cores", "1 core")
    assert changes["web: variable COLOUR"] == ("set", "another value")
    assert changes["web: variable SIZE"] == ("-", "added")
    assert changes["instances"] == ("3", "4")
    assert "/test/web2@" in changes["web: image"][1]
    assert [step["instance"] for step in plan["steps"]] == [0, 1, 2, 3]
    assert plan["steps"][0]["does"] == "the new one starts beside it; it stops when that runs"
    assert plan["steps"][3]["does"] == "is placed"
    assert float(plan["new_price_per_hour"]) > float(plan["price_per_hour"])
    words = flux.ok("app", "update", "planned", newer, "--dry-run")
    assert "every instance goes back to the last revision that ran" in words
    assert "hunter" not in words
    assert revisions(flux, "planned") == [1, 1, 1]
    flux.ok("app", "rm", "planned", "--yes")


def test_a_price_limit_below_what_runs_is_named_before_anything_happens(flux: Any) -> None:
    flux.json("deploy", file(flux), "--name", "cheap")
    plan = flux.json("app", "update", "cheap", file(flux), "--dry-run", "--max-price", "0.000001")
    assert {step["does"] for step in plan["steps"]} == {
        "runs on as it is: it asks more than the maximum price, and no other node can run it now"
    }
    assert [item["what"] for item in plan["changes"]] == ["price limit"]
    flux.ok("app", "rm", "cheap", "--yes")


def test_going_back_needs_no_file_and_finds_any_kept_revision(flux: Any) -> None:
    flux.json("deploy", file(flux), "--name", "back")
    flux.json("app", "update", "back", file(flux, "web2"))
    flux.json("app", "update", "back", file(flux, "web3"))
    plan = flux.json("app", "rollback", "back", "--to", "1", "--dry-run")
    assert (plan["from"], plan["to"]) == (3, 1)
    assert [item["what"] for item in plan["changes"]] == ["web: image"]
    assert flux.json("app", "rollback", "back")["revision"] == 2
    assert flux.json("app", "rollback", "back", "--to", "1")["revision"] == 1
    assert revisions(flux, "back") == [1, 1, 1]
    error = flux.json("app", "rollback", "back", "--to", "1", code=3)["error"]
    assert "is on revision 1 already" in error["message"]
    assert flux.json("app", "rollback", "back", "--to", "9", code=3)["error"]["kind"] == "UnknownRevision"
    flux.ok("app", "rm", "back", "--yes")
