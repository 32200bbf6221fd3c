"""Nodes that stand by, from the command line: their price before, who they are and what became of them after."""

import asyncio
from decimal import Decimal
from typing import Any

from flux.contracts.nodes.types import NodeId
from flux.sdk.bindings.market import Market
from flux.sdk.client import FluxClient
from flux.sdk.transport import HttpTransport

COMPOSE = """\
services:
  web:
    image: ${REGISTRY}/test/web:1
    ports: ["8080:8080"]
x-flux:
  http_port: 8080
  standby: 2
  update: {monitor: 0}
"""


def say_ready(flux: Any, app: int, node: NodeId) -> None:
    """The node's agent says that it holds the images."""

    async def report() -> None:
        async with HttpTransport(flux.chain.rpc) as transport:
            market = Market(FluxClient(transport))
            duties = {duty.app: duty for duty in await market.standby_duties(node)}
            await market.hold(flux.chain.identities[node].signer, app, duties[app].images)  # type: ignore[index]

    asyncio.run(report())


def test_who_stands_by_is_priced_shown_used_and_explained(flux: Any) -> None:
    file = flux.compose(COMPOSE)
    planned = flux.json("plan", file)
    assert Decimal(planned["standby_per_hour"]) > 0
    assert "for standing by" in flux.ok("plan", file)
    made = flux.json("deploy", file, "--name", "shop")
    shown = flux.json("app", "show", "shop")["standby"]
    assert shown["wanted"] == 2
    assert [item["ready"] for item in shown["nodes"]] == [False, False]
    first = shown["nodes"][0]["node"]
    assert "fetches the images" in flux.ok("app", "show", "shop")
    say_ready(flux, made["app"], first)
    assert [item["ready"] for item in flux.json("app", "show", "shop")["standby"]["nodes"]] == [True, False]
    assert "ready" in flux.ok("app", "show", "shop")
    assert flux.json("node", "show", str(first))["stands_by"] == [{"app": made["app"], "name": "shop", "ready": True}]
    assert "STANDS BY FOR" in flux.ok("node", "show", str(first))

    flux.chain.skip(5)
    (moved,) = flux.json("app", "move", "shop", "0")["instances"]
    assert moved["node"] == first
    why = flux.json("app", "why", "shop")
    assert why["choices"][0]["sentence"] == "it stood by with the images"
    told = [event["sentence"] for event in why["timeline"]]
    for words in ("is next in line", "stands by: it holds the images", "was chosen because it stood by"):
        assert any(words in sentence for sentence in told), told
    assert any("stands by no longer: it runs an instance now" in sentence for sentence in told)
    assert "standing by on node" in flux.ok("app", "why", "shop")
    assert len(flux.json("app", "show", "shop")["standby"]["nodes"]) == 2

    fewer = flux.compose(COMPOSE.replace("standby: 2", "standby: 0"), "fewer.yaml")
    plan = flux.json("app", "update", "shop", fewer, "--dry-run")
    assert {"what": "standby", "before": "2", "after": "0"} in plan["changes"]
    assert (Decimal(plan["standby_per_hour"]) > 0, Decimal(plan["new_standby_per_hour"])) == (True, 0)
    flux.ok("app", "update", "shop", fewer)
    assert flux.json("app", "show", "shop")["standby"] == {"wanted": 0, "nodes": []}
    flux.ok("app", "rm", "shop", "--yes")
