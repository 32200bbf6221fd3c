"""An app on a running cloud through the command line: deployed, scaled, moved, updated, explained, removed."""

import pytest

from flux.contracts.market.types import CloseReason
from flux.sdk.bindings.market import Market
from support.cloud_lab import PATIENCE, CloudLab
from support.small_app import small_app
from support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.asyncio(loop_scope="session")]


async def test_each_instance_of_an_app_answers_from_a_node_of_its_own(lab: CloudLab) -> None:
    async with lab.deployed(lab.write("three.yaml", small_app(instances=3)), "three") as made:
        assert made["url"] == f"http://three.flux.localhost:{lab.cloud.http_port}/"
        assert len({instance["node"] for instance in made["instances"]}) == 3
        for instance in made["instances"]:
            await lab.answers("three", f"instance {instance['instance']} on node {instance['node']}")
        listed = await lab.flux("app", "ls")
        assert "three" in [app["name"] for app in listed]
    assert (await lab.ask("three")).status == 404


async def test_an_app_grows_and_shrinks(lab: CloudLab) -> None:
    async with lab.deployed(lab.write("scaled.yaml", small_app()), "scaled") as made:
        grown = await lab.flux("app", "scale", "scaled", "3")
        assert [instance["instance"] for instance in grown["instances"]] == [0, 1, 2]
        assert grown["instances"][0]["lease"] == made["instances"][0]["lease"], "what runs is left alone"
        for ordinal in range(3):
            await lab.answers("scaled", f"instance {ordinal} ")
        shrunk = await lab.flux("app", "scale", "scaled", "1")
        assert [instance["lease"] for instance in shrunk["instances"]] == [made["instances"][0]["lease"]]
        assert {lease.reason for lease in await lab.closed(made["app"])} == {CloseReason.SCALED_DOWN}

        async def one_container() -> bool:
            return len(await lab.containers(made["app"])) == 1

        await lab.until(one_container, PATIENCE, "the others' containers go")
        await lab.answers("scaled", "instance 0 ")


async def test_an_instance_moves_to_another_node_without_a_gap(lab: CloudLab) -> None:
    async with lab.deployed(lab.write("moved.yaml", small_app()), "moved") as made:
        await lab.answers("moved", "instance 0")
        before = made["instances"][0]["node"]
        moved = await lab.flux("app", "move", "moved", "0")
        (instance,) = moved["instances"]
        assert instance["node"] != before
        await lab.answers("moved", f"on node {instance['node']}")
        (closed,) = await lab.closed(made["app"])
        assert (closed.node, closed.reason) == (before, CloseReason.MOVED)
        (successor,) = await lab.running(made["app"])
        assert closed.closed_at >= successor.running_at, "the old one served until the new one ran"


async def test_a_node_that_stands_by_says_that_it_holds_the_images_and_gets_the_instance(lab: CloudLab) -> None:
    async with lab.deployed(lab.write("next.yaml", small_app(extra="  standby: 1\n")), "next") as made:

        async def ready() -> int:
            return sum(item.node for item in await Market(lab.client).standbys(made["app"]) if item.ready_at)

        node = await until(ready, 60, lambda: "a node says that it holds the images", poll=0.2)
        assert not await lab.containers(made["app"], node), "it starts nothing"
        (instance,) = (await lab.flux("app", "move", "next", "0"))["instances"]
        assert instance["node"] == node
        await lab.answers("next", f"on node {node}")


async def test_an_update_replaces_what_runs_and_keeps_the_volume(lab: CloudLab) -> None:
    async with lab.deployed(
        lab.write("updated.yaml", small_app("first", extra="  geo: [acEU_FR]\n")), "updated"
    ) as made:
        await lab.answers("updated", "first from instance 0")
        second = lab.write("updated.yaml", small_app("second", extra="  geo: [acEU_FR]\n"))
        updated = await lab.flux("app", "update", "updated", second)
        assert updated["revision"] == made["revision"] + 1
        await lab.answers("updated", "second from instance 0")
        assert (await lab.answers("updated", "started", "/starts")).text.split() == ["started", "started"]
        (closed,) = await lab.closed(made["app"])
        assert closed.reason is CloseReason.UPDATED


async def test_an_owner_pauses_and_resumes(lab: CloudLab) -> None:
    async with lab.deployed(lab.write("paused.yaml", small_app()), "paused") as made:
        await lab.flux("app", "pause", "paused")

        async def nothing_runs() -> bool:
            return not await lab.containers(made["app"])

        await lab.until(nothing_runs, PATIENCE, "the containers stop")
        assert (await lab.flux("app", "show", "paused"))["status"] == "paused"
        resumed = await lab.flux("app", "resume", "paused")
        await lab.answers("paused", f"on node {resumed['instances'][0]['node']}")


async def test_why_explains_the_choice_the_others_and_the_cost(lab: CloudLab) -> None:
    file = lab.write("why.yaml", small_app(extra="  geo: [acEU]\n"))
    async with lab.deployed(file, "why") as made:
        told = await lab.flux("app", "why", "why")
        (choice,) = told["choices"]
        assert choice["node"] == made["instances"][0]["node"]
        assert choice["sentence"] == "of 3 nodes that could take it, it asked the least"
        nodes = {item["node"]: item for item in told["nodes"]}
        places = {number: item["place"] for number, item in nodes.items()}
        assert {nodes[number]["rejection"] for number in nodes if not places[number].startswith("EU/")} == {"geo"}
        assert nodes[choice["node"]]["rejection"] == "hosts_already"
        assert all(item["reason"] for item in nodes.values())
        events = [item["event"] for item in told["timeline"]]
        ordered = [event for event in events if event in ("AppDeployed", "LeaseAssigned", "LeaseRunning")]
        assert ordered == ["AppDeployed", "LeaseAssigned", "LeaseRunning"]
        shown = await lab.run("app", "why", "why")
        assert "Why there: of 3 nodes that could take it, it asked the least." in shown.output
        assert "the geo rules exclude its location" in shown.output
        assert "What it cost:" in shown.output


async def test_a_name_that_is_taken_is_refused_before_money_moves(lab: CloudLab) -> None:
    file = lab.write("taken.yaml", small_app())
    async with lab.deployed(file, "taken"):
        before = await lab.flux("wallet", "balance")
        refused = await lab.flux("deploy", file, "--name", "taken", code=3)
        assert refused["error"]["kind"] == "NameTaken"
        assert await lab.flux("wallet", "balance") == before


async def test_an_app_outlives_an_outage_of_the_chain(lab: CloudLab) -> None:
    async with lab.deployed(lab.write("outage.yaml", small_app()), "outage") as made:
        page = await lab.answers("outage", "on node")
        before = {view.id: view.started_at for view in await lab.containers(made["app"])}
        assert lab.cloud.chain is not None
        await lab.cloud.chain.kill()
        unreachable = await lab.run("app", "ls")
        assert unreachable.code == 4
        assert "does not answer" in unreachable.errors
        for _ in range(20):
            assert (await lab.ask("outage")).text == page.text
        lab.start_chain()

        async def listed() -> bool:
            return (await lab.run("app", "show", "outage")).code == 0

        await lab.until(listed, PATIENCE, "the chain answers again")
        assert (await lab.flux("app", "scale", "outage", "2"))["instances"][0]["lease"] == made["instances"][0]["lease"]
        await lab.answers("outage", "instance 1")
        after = {view.id: view.started_at for view in await lab.containers(made["app"])}
        assert before.items() <= after.items(), "what ran was left alone"
