"""The demonstration: two apps, a host that dies under load, bills to the second, data that survives a restart."""

import asyncio
import json
import time
from typing import Any

import aiohttp

from flux.contracts.apps.types import AppId
from flux.contracts.market.types import LeaseState
from flux.primitives.types import U64, Address
from flux.primitives.units import format_flux
from flux.protocol import genesis as genesis_file
from flux.runtime.labels import APP
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.deployment import progress
from flux.services.chain_home import GENESIS_FILE
from tools.demonstration.bill import check_supply, earned, read_bill
from tools.demonstration.economy import play_economy
from tools.demonstration.load import Tally, steady_requests
from tools.demonstration.stage import DemoFailed, Stage
from tools.demonstration.waiting import found, until

HELLO = "hello"
GUESTBOOK = "guestbook"
FAILED_SHARE = 0.01
"""Of requests that may fail while a host dies."""
RECOVERY_SECONDS = 20.0


async def play(stage: Stage) -> dict[str, Any]:
    """Play everything; returns the figures. Raises DemoFailed for the first promise that does not hold."""
    say = stage.say
    say("\n== Two apps are deployed")
    hello = await _deploy(stage, HELLO)
    guestbook = await _deploy(stage, GUESTBOOK)
    await _show_answers(stage, hello["instances"])
    say("\n== Why these nodes")
    await stage.show("app", "why", HELLO)
    await stage.show("app", "show", HELLO)
    say("\n== A host dies while requests go on")
    kept = {instance["node"] for instance in guestbook["instances"]}
    figures = await _lose_a_host(stage, AppId(U64(hello["app"])), kept)
    await stage.show("app", "events", HELLO)
    say("\n== The guestbook's containers are restarted")
    await _restart_guestbook(stage, AppId(U64(guestbook["app"])))
    say("\n== The bill")
    figures |= await _settle(stage, AppId(U64(hello["app"])))
    economy, newcomers = await play_economy(stage, AppId(U64(guestbook["app"])), GUESTBOOK)
    say("\n== Is every wei accounted for?")
    await _show_supply(stage, newcomers)
    return figures | economy


async def _deploy(stage: Stage, name: str) -> dict[str, Any]:
    result: dict[str, Any] = await stage.flux("deploy", f"examples/{name}/compose.yaml")
    stage.say(f"{name} answers at {result['url']} after {result['seconds']:.2f} s")
    for instance in result["instances"]:
        place, price = instance["place"], instance["price_per_hour"]
        stage.say(f"  instance {instance['instance']} on node {instance['node']} ({place}) at {price} FLUX/h")
    return result


async def _show_answers(stage: Stage, instances: list[dict[str, Any]]) -> None:
    async with steady_requests(f"{stage.url(HELLO)}/whoami", stage.host(HELLO)) as tally:
        await until(lambda: len(tally.answers) == len(instances), 15, "every instance of hello answers")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        for _ in range(3):
            async with session.get(stage.url(HELLO), headers=stage.host(HELLO)) as response:
                stage.say((await response.text()).strip())


async def _lose_a_host(stage: Stage, app: AppId, kept: set[int]) -> dict[str, Any]:
    """Kill a host of an instance; not one of `kept`, whose app has a volume there and would lose it."""
    client = stage.cloud.client
    before = await progress(client, app)
    victim_lease = next(lease for lease in before.running if lease.node not in kept)
    victim = next(node for node in stage.cloud.nodes if node.id == victim_lease.node)
    async with steady_requests(f"{stage.url(HELLO)}/whoami", stage.host(HELLO)) as tally:
        await until(lambda: tally.made >= 100, 15, "requests are made")
        stage.say(f"node {victim.id} dies: its agent is killed and its containers are gone")
        killed_at = time.monotonic()
        await victim.kill()
        replacement = await _replacement_node(stage, app, {lease.node for lease in before.running})
        await until(lambda: _answers_since(tally, str(replacement), killed_at), RECOVERY_SECONDS, "it serves")
        recovered = max(time.monotonic() - killed_at, 0.0)
        stage.say(f"node {replacement} took over; 3 healthy instances again after {recovered:.2f} s")
        made_by_then = tally.made
        await until(lambda: tally.made >= made_by_then + 100, 15, "requests are made")
    stage.say(f"requests made: {tally.made}, failed: {tally.failed} {tally.last_failure}".rstrip())
    if tally.failed > FAILED_SHARE * tally.made:
        raise DemoFailed(f"{tally.failed} of {tally.made} requests failed: {tally.last_failure}")
    return {"requests": tally.made, "failed": tally.failed, "recovery_seconds": round(recovered, 2)}


async def _replacement_node(stage: Stage, app: AppId, before: set[int]) -> int:
    deadline = time.monotonic() + RECOVERY_SECONDS
    while time.monotonic() < deadline:
        running = (await progress(stage.cloud.client, app)).running
        new = [lease.node for lease in running if lease.node not in before and lease.state is LeaseState.RUNNING]
        if new:
            return new[0]
        await asyncio.sleep(0.02)
    raise DemoFailed(f"no replacement ran within {RECOVERY_SECONDS:g} s")


def _answers_since(tally: Tally, node: str, moment: float) -> bool:
    return tally.seen_at.get(node, 0.0) > moment


async def _restart_guestbook(stage: Stage, app: AppId) -> None:
    url, host = f"{stage.url(GUESTBOOK)}/entries", stage.host(GUESTBOOK)
    words = f"I was here at {time.time():.0f}."
    async with aiohttp.ClientSession() as session:
        async with session.post(url, headers=host, data={"message": words}) as response:
            if response.status >= 400:
                raise DemoFailed(f"the guestbook refused an entry: {response.status}")
        runtime = stage.cloud.runtime
        containers = await runtime.list_containers({APP: str(app)})
        started = {container.name: container.started_at for container in containers}
        for container in containers:
            await runtime.stop(container.id, 1)
        stage.say(f"{len(containers)} containers stopped; the agent starts them again")

        async def restarted() -> bool:
            now = await runtime.list_containers({APP: str(app)})
            return len(now) == len(started) and all(
                view.started_at is not None and view.started_at != started.get(view.name) for view in now
            )

        async def entry_is_there() -> bool:
            try:
                async with session.get(url, headers=host, timeout=aiohttp.ClientTimeout(total=2)) as answer:
                    return answer.status == 200 and words in json.dumps(await answer.json(content_type=None))
            except (aiohttp.ClientError, TimeoutError, ValueError):
                return False

        await found(restarted, 30, "the containers start again")
        await found(entry_is_there, 30, "the entry is there after the restart")
    stage.say(f"the entry is still there: {words}")


async def _settle(stage: Stage, app: AppId) -> dict[str, Any]:
    client = stage.cloud.client
    owner = (await Apps(client).app(app)).owner
    before = await client.balance(owner)
    removed = await stage.flux("app", "rm", HELLO, "--yes")
    bill = await read_bill(client, app)
    stage.say(f"hello is removed: {format_flux(bill.deposited)} FLUX deposited, {format_flux(bill.refunded)} returned")
    for node, seconds in sorted(bill.seconds.items()):
        income = format_flux(await earned(client, node))
        stage.say(f"  node {node}: {seconds} s of hello = {format_flux(bill.paid[node])} FLUX; earned so far {income}")
    stage.say(f"  paid to the second: {format_flux(bill.spent)} FLUX, of it {format_flux(bill.fee)} protocol fee (2 %)")
    if bill.deposited != bill.spent + bill.refunded:
        raise DemoFailed("what was deposited is not what was spent and returned")
    if await client.balance(owner) <= before:
        raise DemoFailed(f"the unused deposit did not come back: {removed}")
    await _show_supply(stage, [])
    return {"spent": format_flux(bill.spent)}


async def _show_supply(stage: Stage, newcomers: list[Address]) -> None:
    """Compare what all accounts hold, `newcomers` among them, with what was minted and burned."""
    client, home = stage.cloud.client, stage.cloud.home.chain
    genesis = genesis_file.decode((home / GENESIS_FILE).read_text(), home)
    agents = [(await Nodes(client).node(node.id)).agent for node in stage.cloud.nodes]
    held, supply = await check_supply(client, genesis, (*agents, *newcomers))
    stage.say(f"supply: {format_flux(held)} FLUX held = minted − burned = {format_flux(supply)}")
    if held != supply:
        raise DemoFailed(f"{held} wei are held and {supply} should exist")
