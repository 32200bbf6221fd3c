"""`flux policy` against a real chain: a vote denies an app and an image, tenants appeal, and notice runs out."""

from typing import Any

from support.voting import pass_time, propose, wait_for

COMPOSE = """
services:
  web:
    image: ${REGISTRY}/test/web:1
    deploy: {resources: {limits: {cpus: "0.5", memory: 128M}}}
"""


def test_what_is_denied_is_shown_appealed_and_enforced(flux: Any) -> None:
    assert flux.json("policy", "ls") == []
    assert "Nothing is denied" in flux.ok("policy", "ls")
    for name in ("shop", "phish"):
        flux.ok("deploy", flux.compose(COMPOSE), "--name", name, "--no-wait", "--account", "dev4")
    (image,) = flux.json("app", "show", "shop")["images"].values()
    digest = image.rpartition("@")[2]
    assert flux.json("policy", "show", "shop")["denials"] == []
    assert flux.json("policy", "enforce", "shop", code=3)["error"]["kind"] == "NotDenied"
    flux.ok("dao", "lock", "20000")
    denials = ("--deny-image", f"{digest}=it mines", "--deny-app", "phish=it imitates a bank")
    number = propose(flux, "Not these", *denials)["number"]
    wait_for(flux, number, "active")
    flux.ok("dao", "vote", str(number), "for")
    wait_for(flux, number, "executed", step=10)
    app, denied = flux.json("policy", "ls")
    assert (app["what"], app["reason"]) == ("app phish", "it imitates a bank")
    assert (denied["what"], denied["reason"], denied["appealed"]) == (digest, "it mines", False)
    assert flux.json("policy", "show", "phish")["denials"] == [app, denied]
    assert flux.json("policy", "show", "shop")["denials"] == [denied]
    assert "flux policy appeal shop" in flux.ok("policy", "show", "shop")
    assert flux.json("policy", "enforce", "shop", code=3)["error"]["kind"] == "NotYetEnforced"
    error = flux.json("policy", "appeal", "shop", "it does not", "--account", "dev5", code=3)["error"]
    assert error["kind"] == "NotAppOwner"
    assert "--allow-app phish" in flux.ok("policy", "appeal", "phish", "it does not", "--account", "dev4")
    appealed = flux.json("policy", "appeal", "shop", "it does not", "--account", "dev4")["denials"][0]
    assert appealed["enforced_from"] > denied["enforced_from"]
    error = flux.json("policy", "appeal", "shop", "really", "--account", "dev4", code=3)["error"]
    assert error["kind"] == "AlreadyAppealed"
    for _ in range(12):
        pass_time(flux, 20)
    assert "may be closed now" in flux.ok("policy", "ls")
    flux.ok("policy", "enforce", "shop", "--account", "dev9")
    assert flux.json("app", "ls", "--account", "dev4") == []
