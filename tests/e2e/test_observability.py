"""One deployment followed through the logs of chain and agent to the container's labels; metrics of a running cloud."""

import re
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from flux.runtime.labels import APP, LEASE
from support.cloud_lab import CloudLab
from support.small_app import small_app
from support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.asyncio(loop_scope="session")]


def lines(log: Path, event: str, **facts: object) -> list[dict[str, str]]:
    """Log lines of an event that have these facts."""
    found = [dict(re.findall(r"(\w+)=('[^']*'|\S+)", line)) for line in log.read_text().splitlines() if event in line]
    return [
        {name: value.strip("'") for name, value in line.items()}
        for line in found
        if all(line.get(name, "").strip("'") == str(value) for name, value in facts.items())
    ]


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def values(url: str, name: str) -> dict[tuple[str, ...], float]:
    """By label values, in the order of the labels' names."""
    status, text = await get(f"{url}/metrics")
    assert status == 200
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


async def test_ids_join_transaction_app_lease_and_container(lab: CloudLab) -> None:
    async with lab.deployed(lab.write("follow.yaml", small_app()), "follow") as made:
        app = made["app"]
        (lease,) = await lab.running(app)
        chain_log = lab.cloud.home.log("chain")
        (deployed,) = lines(chain_log, "app deployed", app=app)
        assert deployed["transaction"] == made["transaction"]
        (assigned,) = lines(chain_log, "lease assigned", app=app)
        assert (assigned["lease"], assigned["node"]) == (str(lease.id), str(lease.node))
        (running,) = lines(chain_log, "lease running", lease=lease.id)
        assert running["app"] == str(app)
        (started,) = lines(lab.node(lease.node).setting.log, "action applied", lease=lease.id, action="StartContainer")
        (container,) = await lab.containers(app)
        assert started["container"] == container.id
        assert (container.labels[LEASE], container.labels[APP]) == (str(lease.id), str(app))


async def test_every_process_shows_metrics_and_is_ready(lab: CloudLab) -> None:
    options = lab.cloud.options
    async with lab.deployed(lab.write("shown.yaml", small_app()), "shown") as made:
        (lease,) = await lab.running(made["app"])
        chain = f"http://127.0.0.1:{options.rpc_port + 1000}"
        agent = f"http://127.0.0.1:{lab.node(lease.node).setting.port + 1}"
        ingress = f"http://127.0.0.1:{options.http_port + 1000}"
        for url in (chain, agent, ingress):
            assert (await get(f"{url}/healthz"))[0] == 200
            status, text = await get(f"{url}/readyz")
            assert status == 200, text
        assert (await values(chain, "flux_market_placements_total"))[()] >= 1
        assert (await values(chain, "flux_chain_height"))[()] > 1
        key = ("shown", "web", str(lease.id))
        assert (await values(agent, "flux_instance_memory_bytes"))[key] > 0
        assert (await values(agent, "flux_instance_restarts_total"))[key] == 0
        assert set(await values(agent, "flux_agent_probes_total")) == {("answered",), ("missed",)}
        await lab.answers("shown", "hello")

        async def is_up() -> bool:
            """An instance that is only starting may be asked before it counts as up."""
            return (await values(ingress, "flux_ingress_upstreams"))[("up",)] >= 1

        await until(is_up)
        status, text = await get(f"{ingress}/caddy/metrics")
        assert (status, "caddy_http_requests_total" in text) == (200, True)


async def test_stats_and_the_dashboard_show_what_runs(lab: CloudLab) -> None:
    async with lab.deployed(lab.write("watched.yaml", small_app(instances=2)), "watched"):
        stats = await lab.flux("app", "stats", "watched")
        assert [instance["instance"] for instance in stats["instances"]] == [0, 1]
        for instance in stats["instances"]:
            (component,) = instance["components"]
            assert component["memory_bytes"] > 0
            assert component["cores"] is not None
            assert component["memory_limit_bytes"] == 16 * 2**20
        top = await lab.flux("app", "top", "watched")
        (app,) = top["apps"]
        assert (app["running"], len(app["instances"]), app["pending"]) == (2, 2, [])
        assert float(app["spent"]) >= 0
        assert app["balance_lasts_seconds"] > 0
        assert any("placed on node" in event["sentence"] for event in top["events"])
        printed = await lab.run("app", "top", "--once")
        assert printed.code == 0
        assert "watched.1" in printed.output
        await lab.flux("app", "pause", "watched")
        paused = await lab.flux("app", "show", "watched")
        assert paused["status"] == "paused"
        await lab.flux("app", "resume", "watched", "--wait")
        assert (await lab.flux("app", "top", "watched"))["apps"][0]["running"] == 2
