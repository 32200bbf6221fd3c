"""A real Caddy under the ingress loop, with real processes behind it."""

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

import aiohttp
import psutil
import pytest

from flux.ingress.caddy import Caddy
from flux.ingress.connections import end_connections
from flux.ingress.errors import AlreadyRunning, CaddyFailed, CaddyMissing, ConfigRefused, PortUnavailable
from flux.ingress.options import IngressOptions
from flux.ingress.routes import COOKIE, Target, caddy_routes, read_routes
from support.beside import beside
from support.chain_routes import route
from support.ingress_lab import PATIENCE_SECONDS, Ingress, Traffic, Visitor, free_port, instance, running_ingress
from support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
async def ingress(tmp_path: Path) -> AsyncIterator[Ingress]:
    async with running_ingress(tmp_path / "ingress") as running:
        yield running


async def test_an_app_answers_under_its_name_and_sees_it(ingress: Ingress) -> None:
    async with instance("one") as one:
        ingress.source.set(route("hello", [one.target]))
        answer = await ingress.visitor.until("hello", lambda answer: answer.status == 200)
    assert answer.text == "one"
    assert answer.headers["Host-Seen"] == "hello.flux.localhost"


async def test_a_name_that_nobody_deployed_gets_a_sentence_that_helps(ingress: Ingress) -> None:
    ingress.source.set(route("hello", []))
    answer = await ingress.visitor.until("nothing", lambda answer: answer.status == 404)
    assert "nothing.flux.localhost" in answer.text
    assert "flux app ls" in answer.text
    assert answer.headers["Content-Type"].startswith("text/plain")


async def test_an_app_without_instances_asks_to_come_back(ingress: Ingress) -> None:
    ingress.source.set(route("hello", []))
    answer = await ingress.visitor.until("hello", lambda answer: "no running instance" in answer.text)
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0


async def test_an_app_whose_only_instance_is_dead_asks_to_come_back(ingress: Ingress) -> None:
    ingress.source.set(route("hello", [f"127.0.0.1:{free_port()}"]))
    answer = await ingress.visitor.until("hello", lambda answer: "No instance of this app answers" in answer.text)
    assert answer.status in (502, 503)
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_an_app_that_answers_any_status_is_alive(ingress: Ingress, status: int) -> None:
    async with instance("one", status) as one, instance("two") as two:
        ingress.source.set(route("hello", [one.target, two.target], sticky=False))
        for _ in range(3):
            await ingress.visitor.until("hello", lambda answer: answer.status == status)
            await ingress.visitor.until("hello", lambda answer: answer.status == 200)


async def test_no_request_fails_while_an_instance_is_killed(ingress: Ingress) -> None:
    async with AsyncExitStack() as stack:
        instances = [await stack.enter_async_context(instance(name)) for name in ("one", "two", "three")]
        ingress.source.set(route("hello", [each.target for each in instances], sticky=False))
        for each in instances:
            await ingress.visitor.until("hello", lambda answer, name=each.name: answer.text == name)  # type: ignore[misc]
        traffic = Traffic(ingress.visitor, "hello", rate=100)
        running = asyncio.create_task(traffic.run(seconds=3))
        await until(lambda: len(traffic.answers) >= 50, PATIENCE_SECONDS)
        before = len(traffic.answers)
        instances[0].kill()
        await instances[0].process.wait()
        killed_at = time.monotonic()
        await running
        await traffic.run(seconds=0.5)
    assert traffic.failures == []
    assert len(traffic.answers) == 350
    assert {answer.text for _, answer in traffic.answers[:before]} == {"one", "two", "three"}
    assert {answer.text for asked_at, answer in traffic.answers if asked_at > killed_at} == {"two", "three"}


async def test_a_change_of_routes_fails_no_read_that_waits_for_a_dead_host(tmp_path: Path) -> None:
    options = IngressOptions(home=tmp_path, http_port=free_port(), listen_host="127.0.0.1")
    async with Caddy(options) as caddy, instance("one") as one, aiohttp.ClientSession() as session:
        with silent_host() as silent:
            apps = [route("hello", [silent, one.target], sticky=False), route("other", [one.target], app=2)]
            await caddy.apply(caddy_routes(read_routes(apps[:1], caddy.rules)[0], (), caddy.rules))
            visitor = Visitor(session, f"http://127.0.0.1:{options.http_port}")
            asked = [asyncio.create_task(visitor.ask("hello")) for _ in range(6)]
            await until(
                lambda: sum(task.done() for task in asked) >= 3, PATIENCE_SECONDS, lambda: "half wait for the dead host"
            )
            await caddy.apply(caddy_routes(read_routes(apps, caddy.rules)[0], (), caddy.rules))
            assert [(answer.status, answer.text) for answer in await asyncio.gather(*asked)] == [(200, "one")] * 6


async def test_changes_of_routes_reset_hardly_any_connection(tmp_path: Path) -> None:
    """Each change makes Caddy listen anew: it loses what waits (1 of 15 here) unless the kernel hands that over.

    The kernel itself loses one that arrives in the very moment of the handing over (1 of 5,000).
    """
    options = IngressOptions(home=tmp_path, http_port=free_port(), listen_host="127.0.0.1")
    apps = [route("one", ["127.0.0.1:9"]), route("other", ["127.0.0.1:9"], app=2)]
    statuses: Counter[int] = Counter()
    resets: list[OSError] = []

    async def visit() -> None:
        """Open one connection after the other: a closing listener loses those that it has not accepted yet."""
        while True:
            async with aiohttp.ClientSession() as session:
                try:
                    answer = await Visitor(session, f"http://127.0.0.1:{options.http_port}").ask("nobody")
                except aiohttp.ClientOSError as error:
                    resets.append(error)
                else:
                    statuses[answer.status] += 1

    async with Caddy(options) as caddy:
        await caddy.apply(caddy_routes([], (), caddy.rules))
        async with beside(*(visit() for _ in range(8))):
            change = 0
            while change < 100 or statuses.total() < 1000:
                change += 1
                await caddy.apply(caddy_routes(read_routes(apps[: 1 + change % 2], caddy.rules)[0], (), caddy.rules))
        assert caddy.restarts == 0
    assert set(statuses) == {404}
    assert len(resets) <= statuses.total() / 200, resets


@contextmanager
def silent_host() -> Iterator[str]:
    """An address that answers no attempt to connect, as that of a host without power."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # The one place in its queue is taken; further attempts are dropped.
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("ss") is None, reason="only root may end connections, with ss")
async def test_a_read_that_waits_on_a_lost_machine_is_made_again_elsewhere(ingress: Ingress) -> None:
    waits = asyncio.Event()

    async def answer_checks_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            if request.startswith(b"HEAD"):
                writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            else:
                waits.set()
                await reader.read()
        writer.close()

    async with instance("one") as one, await asyncio.start_server(answer_checks_only, "127.0.0.1", 0) as silent:
        lost = Target("127.0.0.1", silent.sockets[0].getsockname()[1])
        ingress.source.set(route("hello", [one.target]))
        await ingress.visitor.until("hello", lambda answer: answer.status == 200)
        ingress.source.set(route("hello", [str(lost), one.target]))
        waiting = asyncio.create_task(waits.wait())
        while not waits.is_set():
            asking = asyncio.create_task(ingress.visitor.ask("hello"))
            await asyncio.wait([asking, waiting], return_when=asyncio.FIRST_COMPLETED)
        assert not asking.done()
        # A machine without power takes no further connections either.
        silent.close()
        await end_connections(lost)
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await asking
    assert (answer.status, answer.text) == (200, "one")


async def test_an_instance_that_hangs_leaves_rotation_and_comes_back(ingress: Ingress) -> None:
    async with instance("one") as one, instance("two") as two:
        ingress.source.set(route("hello", [one.target, two.target], sticky=False))
        for name in ("one", "two"):
            await ingress.visitor.until("hello", lambda answer, name=name: answer.text == name)  # type: ignore[misc]

        async def has_left() -> bool:
            return one.target not in json.dumps(await ingress.caddy.routes())

        assert not await has_left()
        one.hang()
        await until(has_left, PATIENCE_SECONDS)
        answers = [await ingress.visitor.ask("hello") for _ in range(6)]
        assert {answer.text for answer in answers} == {"two"}
        one.wake()
        await ingress.visitor.until("hello", lambda answer: answer.text == "one")


async def test_a_visitor_of_a_sticky_app_stays_until_the_instance_dies(ingress: Ingress) -> None:
    async with AsyncExitStack() as stack:
        instances = {name: await stack.enter_async_context(instance(name)) for name in ("one", "two", "three")}
        ingress.source.set(route("hello", [each.target for each in instances.values()]))
        first = await ingress.visitor.until("hello", lambda answer: COOKIE in answer.headers.get("Set-Cookie", ""))
        cookie = first.headers["Set-Cookie"].partition(";")[0]
        again = [await ingress.visitor.ask("hello", Cookie=cookie) for _ in range(10)]
        assert {answer.text for answer in again} == {first.text}
        instances[first.text].kill()
        await instances[first.text].process.wait()
        moved = await ingress.visitor.ask("hello", Cookie=cookie)
        assert moved.status == 200
        assert moved.text != first.text
        assert COOKIE in moved.headers["Set-Cookie"]


async def test_a_forged_cookie_is_harmless(ingress: Ingress) -> None:
    async with instance("one") as one, instance("two") as two:
        ingress.source.set(route("hello", [one.target, two.target]))
        await ingress.visitor.until("hello", lambda answer: answer.status == 200)
        for value in ("", "x", "0" * 4000, "127.0.0.1:22"):
            assert (await ingress.visitor.ask("hello", Cookie=f"{COOKIE}={value}")).status == 200


async def test_a_websocket_passes_through(ingress: Ingress) -> None:
    async with instance("one") as one:
        ingress.source.set(route("hello", [one.target]))
        await ingress.visitor.until("hello", lambda answer: answer.status == 200)
        async with ingress.visitor.session.ws_connect(
            f"{ingress.visitor.url}/ws", headers={"Host": "hello.flux.localhost"}
        ) as socket_:
            for text in ("good day", "ü" * 1000):
                await socket_.send_str(text)
                assert await socket_.receive_str() == f"one: {text}"


async def test_the_same_routes_are_not_loaded_twice(ingress: Ingress) -> None:
    async with instance("one") as one:
        routes = route("hello", [one.target])
        ingress.source.set(routes)
        await ingress.visitor.until("hello", lambda answer: answer.status == 200)
        loads = ingress.caddy.loads
        for _ in range(3):
            ingress.source.set(routes)
            await ingress.source.fetched.acquire()
        in_force = await ingress.caddy.routes()
        assert not await ingress.caddy.apply(in_force)
        assert ingress.caddy.loads == loads


async def test_a_request_in_flight_survives_a_change_of_routes(ingress: Ingress) -> None:
    async with instance("one") as one:
        ingress.source.set(route("hello", [one.target]))
        await ingress.visitor.until("hello", lambda answer: answer.status == 200)
        slow = asyncio.create_task(ingress.visitor.ask("hello", "/slow"))
        ingress.source.set(route("hello", [one.target]), route("other", [one.target], app=2))
        await ingress.visitor.until("other", lambda answer: answer.status == 200)
        assert not slow.done()
        await ingress.visitor.ask("hello", "/release")
        assert (await slow).text == "one"


async def test_an_outage_of_the_chain_takes_no_app_down(ingress: Ingress) -> None:
    async with instance("one") as one:
        ingress.source.set(route("hello", [one.target]))
        await ingress.visitor.until("hello", lambda answer: answer.status == 200)
        ingress.source.go_down()
        for _ in range(3):
            await ingress.source.fetched.acquire()
        assert (await ingress.visitor.ask("hello")).text == "one"
        ingress.source.come_back()
        ingress.source.set()
        await ingress.visitor.until("hello", lambda answer: answer.status == 404)


async def test_garbage_names_harm_no_other_app(ingress: Ingress) -> None:
    async with instance("one") as one:
        garbage = ["*", "{http.request.host}", "a.b", "", "-", "x" * 100, "a b", '"', "\0"]
        ingress.source.set(
            *(route(name, [one.target], app=number + 2) for number, name in enumerate(garbage)),
            route("hello", [one.target, "unix//run/docker.sock:1", "{env.HOME}:80"]),
        )
        await ingress.visitor.until("hello", lambda answer: answer.status == 200)
        for name in ("a.b", "anything", "env"):
            assert (await ingress.visitor.ask(name)).status == 404


async def test_a_node_that_points_to_the_ingress_makes_no_endless_loop(ingress: Ingress) -> None:
    ingress.source.set(route("loop", [f"127.0.0.1:{ingress.options.http_port}"]))
    answer = await ingress.visitor.until("loop", lambda answer: answer.status == 508)
    assert "ingress" in answer.text


async def test_a_killed_caddy_comes_back_with_its_routes(ingress: Ingress) -> None:
    async with instance("one") as one:
        ingress.source.set(route("hello", [one.target]))
        await ingress.visitor.until("hello", lambda answer: answer.status == 200)
        ingress.source.go_down()
        killed = ingress.caddy.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await until(lambda: ingress.caddy.restarts > 0, PATIENCE_SECONDS)
        assert ingress.caddy.pid != killed
        assert (await ingress.visitor.ask("hello")).text == "one"


async def test_an_ingress_that_starts_during_an_outage_serves_what_it_served_before(tmp_path: Path) -> None:
    async with instance("one") as one:
        async with running_ingress(tmp_path) as ingress:
            ingress.source.set(route("hello", [one.target]))
            await ingress.visitor.until("hello", lambda answer: answer.status == 200)
        options = IngressOptions(home=tmp_path, http_port=ingress.options.http_port, listen_host="127.0.0.1")
        async with (
            Caddy(options),
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{options.http_port}/", headers={"Host": "hello.flux.localhost"}) as answer,
        ):
            assert (answer.status, await answer.text()) == (200, "one")


async def test_an_ingress_that_knows_nothing_yet_says_that_it_is_starting(tmp_path: Path) -> None:
    options = IngressOptions(home=tmp_path, http_port=free_port(), listen_host="127.0.0.1")
    url = f"http://127.0.0.1:{options.http_port}/"
    async with Caddy(options), aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 503
        assert "starting" in await answer.text()


async def test_nothing_is_left_when_the_ingress_stops(tmp_path: Path) -> None:
    options = IngressOptions(home=tmp_path, http_port=free_port(), listen_host="127.0.0.1")
    async with Caddy(options) as caddy:
        pid = caddy.pid
        assert pid is not None
        assert psutil.pid_exists(pid)
    assert caddy.pid is None
    assert not psutil.pid_exists(pid)
    with socket.create_server(("127.0.0.1", options.http_port)):
        assert not (tmp_path / "caddy.pid").exists()


async def test_a_caddy_left_behind_by_a_killed_ingress_is_replaced(tmp_path: Path) -> None:
    options = IngressOptions(home=tmp_path, http_port=free_port(), listen_host="127.0.0.1")
    script = (
        "import asyncio\n"
        "from pathlib import Path\n"
        "from flux.ingress.caddy import Caddy\n"
        "from flux.ingress.options import IngressOptions\n"
        "async def main():\n"
        f"    async with Caddy(IngressOptions(home=Path({str(tmp_path)!r}), http_port={options.http_port},"
        " listen_host='127.0.0.1')) as caddy:\n"
        "        print(caddy.pid, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    leftover = int(await process.stdout.readline())
    process.kill()
    await process.wait()
    assert psutil.pid_exists(leftover)
    async with Caddy(options) as caddy:
        assert caddy.pid != leftover
        assert not _is_alive(leftover)


async def test_two_ingresses_do_not_share_a_home(tmp_path: Path) -> None:
    async with Caddy(IngressOptions(home=tmp_path, http_port=free_port(), listen_host="127.0.0.1")):
        with pytest.raises(AlreadyRunning) as raised:
            async with Caddy(IngressOptions(home=tmp_path, http_port=free_port())):
                raise AssertionError("both run")
    assert "FLUX_HOME" in raised.value.hint


async def test_a_taken_port_is_told_with_its_holder_and_the_option_to_change(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(PortUnavailable) as raised:
            async with Caddy(IngressOptions(home=tmp_path, http_port=port)):
                raise AssertionError("it cannot serve there")
    assert raised.value.port == port
    assert f"process {os.getpid()}" in str(raised.value)
    assert "--http-port" in raised.value.hint
    async with Caddy(IngressOptions(home=tmp_path, http_port=port, listen_host="127.0.0.1")) as caddy:
        assert caddy.pid is not None


async def test_a_missing_caddy_is_told_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(CaddyMissing) as raised:
        async with Caddy(IngressOptions(home=tmp_path, caddy="no-such-caddy")):
            raise AssertionError("there is none")
    assert "apt-get install caddy" in raised.value.hint


async def test_a_program_that_is_not_caddy_is_told_from_it(tmp_path: Path) -> None:
    with pytest.raises(CaddyFailed, match="stopped while starting"):
        async with Caddy(IngressOptions(home=tmp_path, http_port=free_port(), caddy="false")):
            raise AssertionError("it does not serve")


async def test_refused_routes_leave_the_old_ones_in_force(ingress: Ingress) -> None:
    async with instance("one") as one:
        ingress.source.set(route("hello", [one.target]))
        await ingress.visitor.until("hello", lambda answer: answer.status == 200)
        before = await ingress.caddy.routes()
        with pytest.raises(ConfigRefused):
            await ingress.caddy.apply([{"handle": [{"handler": "no_such_handler"}]}])
        assert await ingress.caddy.routes() == before
        assert (await ingress.visitor.ask("hello")).text == "one"


async def test_secrets_of_the_ingress_are_for_its_user_only(ingress: Ingress) -> None:
    home = ingress.options.home
    secret = (home / "cookie-secret").read_text()
    for path in (home / "cookie-secret", home / "caddy.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(secret) == 64
    assert ingress.caddy.pid is not None
    assert secret not in " ".join(psutil.Process(ingress.caddy.pid).cmdline())
    admin = json.loads((home / "caddy.json").read_text())["admin"]["listen"].removeprefix("unix/")
    assert stat.S_IMODE(Path(admin).parent.stat().st_mode) == 0o700


async def test_apps_are_served_over_tls_from_an_authority_of_its_own(tmp_path: Path) -> None:
    async with running_ingress(tmp_path, https_port=free_port()) as ingress, instance("one") as one:
        ingress.source.set(route("hello", [one.target]))
        await ingress.visitor.until("hello", lambda answer: answer.status == 200)
        context = ssl.create_default_context(
            cafile=str(tmp_path / "storage" / "pki" / "authorities" / "local" / "root.crt")
        )

        async def read_over_tls() -> tuple[int, str] | None:
            """Nothing while Caddy has no certificate yet, which it makes beside its first answers."""
            try:
                async with ingress.visitor.session.get(
                    f"https://127.0.0.1:{ingress.options.https_port}/",
                    ssl=context,
                    server_hostname="hello.flux.localhost",
                    headers={"Host": "hello.flux.localhost"},
                ) as answer:
                    return answer.status, await answer.text()
            except aiohttp.ClientConnectorSSLError:
                return None

        assert await until(read_over_tls, PATIENCE_SECONDS) == (200, "one")


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
