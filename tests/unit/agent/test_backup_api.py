"""Backup and restore over the node's API: a real loop, containers in memory, the client that tenants use."""

import asyncio
import io
import tarfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from flux.agent.api.auth import Authoriser
from flux.agent.api.backups import BackupApi, BackupLimits, Pace
from flux.agent.api.server import AgentApi
from flux.agent.apply import Applier
from flux.agent.desired import DesiredInstance
from flux.agent.identity import create
from flux.agent.loop import AgentLoop
from flux.agent.ports import PortPool
from flux.contracts.apps.types import PrivateComponent, PrivateSpec
from flux.contracts.market.types import LeaseId, LeaseState
from flux.contracts.nodes.types import Node
from flux.primitives.types import Address
from flux.runtime.errors import EngineFailed, InUse, OutOfDisk, RuntimeFailure
from flux.runtime.labels import volume_name
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.runtime.memory.container import Container
from flux.runtime.memory.volume_files import Unpacked
from flux.runtime.types import ContainerId
from flux.sdk.agent_api import AgentClient, AgentRefused
from flux.sdk.errors import Unreachable
from flux.services.ports import free_port
from support.agent_api_lab import OWNER, STRANGER, node_record
from support.leases import IMAGES, NODE, make_desired
from support.runtime_lab import eventually
from support.waiting import until
from unit.agent.test_loop import ScriptedChain, World

LEASE = make_desired().lease
VOLUME = volume_name(NODE.chain, NODE.node, LEASE.app, LEASE.ordinal, "data")


class Hosted(World):
    """A running instance whose database has a volume, and the API over it."""

    def __init__(
        self, engine: MemoryEngine, chain: ScriptedChain, loop: AgentLoop, agents: AgentClient, node: Node
    ) -> None:
        super().__init__(engine, chain, loop)
        self.agents = agents
        self.node = node

    @property
    def wish(self) -> DesiredInstance:
        return self.chain.wishes[LEASE.id]

    @property
    def database(self) -> Container:
        return next(item for item in self.engine.containers.values() if item.spec.alias == "database")

    @property
    def touched(self) -> set[str]:
        assert self.database.process is not None
        return self.database.process.files

    def private(self, pre: tuple[str, ...], post: tuple[str, ...]) -> None:
        component = PrivateComponent("database", backup_pre=pre, backup_post=post)
        self.chain.wishes[LEASE.id] = replace(self.wish, private=PrivateSpec((component,)))
        self.loop.wake()

    async def backup(self, *volumes: str) -> bytes:
        return b"".join([piece async for piece in self.agents.backup(self.node, OWNER, LEASE.id, volumes)])

    async def restore(self, data: bytes, *, length: int | None = None) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 1000):
                yield data[start : start + 1000]

        await self.agents.restore(self.node, OWNER, LEASE.id, ["data"], pieces(), length or len(data))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Hosted]:
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(MemoryEngine())
        for image in IMAGES:
            engine.add_image(image)
        runtime = MemoryRuntime(engine)
        chain = ScriptedChain()
        chain.wishes[LEASE.id] = replace(make_desired(), private=PrivateSpec())
        loop = AgentLoop(NODE, chain, runtime, Applier(runtime, chain, PortPool(42000, 42099)))
        running = asyncio.create_task(loop.run())
        identity = create(tmp_path, "127.0.0.1")

        async def owner_of(lease: LeaseId) -> Address | None:
            return OWNER.address if lease == LEASE.id else None

        backups = BackupApi(NODE, loop, runtime, BackupLimits(per_node=1, stall_seconds=2))
        authoriser = Authoriser(identity.certificate, time.time)
        api = AgentApi(NODE.node, identity, loop, runtime, authoriser, owner_of, backups=backups)
        runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=identity.tls()).start()
        agents = await stack.enter_async_context(AgentClient())
        made = Hosted(engine, chain, loop, agents, node_record(port, identity.certificate))
        await made.until(lambda: made.wish.lease.state is LeaseState.RUNNING)
        engine.files[VOLUME] = {"notes": b"old"}
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def tar(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"data/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def contents(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = [(member.name, archive.extractfile(member)) for member in archive if member.isreg()]
        return {name: file.read() for name, file in files if file is not None}


async def test_a_backup_is_a_tar_of_the_volumes_and_the_app_runs_on(world: Hosted) -> None:
    assert contents(await world.backup()) == {"data/notes": b"old"}
    assert contents(await world.backup("data")) == {"data/notes": b"old"}
    assert world.database.is_running


async def test_the_apps_commands_run_before_and_after(world: Hosted) -> None:
    world.private(("touch", "/pre"), ("touch", "/post"))
    await until(lambda: world.loop.status(LEASE.id).desired == world.wish)
    await world.backup()
    await until(lambda: {"/pre", "/post"} <= world.touched)


async def test_a_command_that_fails_refuses_the_backup_and_the_one_after_runs_all_the_same(world: Hosted) -> None:
    world.private(("false",), ("touch", "/post"))
    await until(lambda: world.loop.status(LEASE.id).desired == world.wish)
    with pytest.raises(AgentRefused, match="the pre command of database ended with status 1") as refused:
        await world.backup()
    assert refused.value.status == 409
    await until(lambda: "/post" in world.touched)


async def test_the_command_after_runs_when_the_reader_goes_away(world: Hosted) -> None:
    world.engine.files[VOLUME] = {"large": bytes(40_000_000)}
    world.private(("touch", "/pre"), ("touch", "/post"))
    await until(lambda: world.loop.status(LEASE.id).desired == world.wish)
    reader = world.agents.backup(world.node, OWNER, LEASE.id, [])
    await anext(reader)
    assert "/post" not in world.touched, "the stream is still open"
    await world.agents.close()
    await until(lambda: "/post" in world.touched)


async def test_changing_the_commands_replaces_no_container(world: Hosted) -> None:
    before = world.database.id
    world.private(("true",), ("true",))
    await until(lambda: world.loop.status(LEASE.id).desired == world.wish)
    await world.backup()
    assert world.database.id == before


async def test_a_backup_that_breaks_off_is_not_taken_for_whole(world: Hosted) -> None:
    world.engine.files[VOLUME] = {"large": bytes(40_000_000)}
    reader = world.agents.backup(world.node, OWNER, LEASE.id, [])
    await anext(reader)
    world.engine.go_down()
    with pytest.raises(Unreachable, match="broke off"):
        async for _ in reader:
            pass
    world.engine.come_back()


async def test_a_restore_replaces_everything_and_the_component_runs_again(world: Hosted) -> None:
    begun = world.database.process
    await world.restore(tar(first=b"1", second=b"2"))
    assert world.engine.files[VOLUME] == {"first": b"1", "second": b"2"}
    await until(lambda: world.database.is_running)
    assert world.database.process is not begun
    others = next(item for item in world.engine.containers.values() if item.spec.alias == "web")
    assert others.is_running, "what does not mount the volume is left alone"


async def test_restoring_is_no_crash(world: Hosted) -> None:
    for _ in range(8):
        await world.restore(tar(first=b"1"))
    await world.settle()
    assert world.chain.failed == []
    assert world.database.is_running


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"no tar at all" * 100, "no tar"),
        (tar(good=b"1").replace(b"data/good", b"else/good"), "not taken"),
        (bytes(10_240), "nothing of data"),
    ],
)
async def test_a_bad_archive_is_refused_and_nothing_stops(world: Hosted, data: bytes, says: str) -> None:
    begun = world.database.process
    with pytest.raises(AgentRefused, match=says) as refused:
        await world.restore(data)
    assert refused.value.status == 422
    assert world.engine.files[VOLUME] == {"notes": b"old"}
    assert world.database.process is begun


async def test_a_stream_that_breaks_leaves_the_old_contents(world: Hosted) -> None:
    data = tar(first=bytes(50_000))
    with pytest.raises((Unreachable, AgentRefused)):
        await world.restore(data[:30_000], length=len(data))
    assert world.engine.files[VOLUME] == {"notes": b"old"}
    assert world.database.is_running
    assert contents(await world.backup()) == {"data/notes": b"old"}, "and the next one is not in its way"


@pytest.mark.parametrize(
    ("failure", "status", "says"),
    [
        (InUse("A container still uses it."), 409, "nothing was changed: restore once more"),
        (EngineFailed("It could not be mounted."), 503, "could not be mounted"),
        (OutOfDisk("The disk is full."), 507, "nothing was changed: move the instance"),
    ],
)
async def test_a_swap_that_fails_leaves_the_old_contents_and_the_component_runs_again(
    world: Hosted, monkeypatch: pytest.MonkeyPatch, failure: RuntimeFailure, status: int, says: str
) -> None:
    begun = world.database.process

    async def fail(_: Unpacked) -> None:
        assert not world.database.is_running
        raise failure

    monkeypatch.setattr(Unpacked, "swap", fail)
    with pytest.raises(AgentRefused, match=says) as refused:
        await world.restore(tar(first=b"1"))
    assert refused.value.status == status
    await until(lambda: world.database.is_running)
    assert world.database.process is not begun
    assert world.engine.files[VOLUME] == {"notes": b"old"}


async def test_a_restore_that_was_made_is_told_as_such_though_the_component_does_not_start_at_once(
    world: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: MemoryRuntime, container: ContainerId) -> None:
        monkeypatch.undo()
        raise OutOfDisk(f"No room to start {container}.")

    monkeypatch.setattr(MemoryRuntime, "start", fail)
    await world.restore(tar(first=b"1"))
    assert world.engine.files[VOLUME] == {"first": b"1"}
    await world.until(lambda: world.database.is_running)


async def test_more_than_the_volume_holds_is_refused(world: Hosted) -> None:
    with pytest.raises(AgentRefused, match="more than the volume does"):
        await world.restore(tar(large=bytes(101 * 1024 * 1024)))
    assert world.engine.files[VOLUME] == {"notes": b"old"}


async def test_nobody_but_the_owner_may(world: Hosted) -> None:
    with pytest.raises(AgentRefused, match="only the app's owner"):
        async for _ in world.agents.backup(world.node, STRANGER, LEASE.id, []):
            pass

    async def nothing() -> AsyncIterator[bytes]:
        pytest.fail("a refused restore sends no body")
        yield b""

    with pytest.raises(AgentRefused, match="only the app's owner"):
        await world.agents.restore(world.node, STRANGER, LEASE.id, ["data"], nothing(), 10)


async def test_one_at_a_time_for_an_instance(world: Hosted) -> None:
    world.engine.files[VOLUME] = {"large": bytes(40_000_000)}
    reader = world.agents.backup(world.node, OWNER, LEASE.id, [])
    await anext(reader)
    with pytest.raises(AgentRefused, match="under way") as refused:
        await world.backup()
    assert refused.value.status == 429


async def test_a_reader_that_stops_reading_gives_its_place_up(world: Hosted) -> None:
    world.engine.files[VOLUME] = {"large": bytes(40_000_000)}
    reader = world.agents.backup(world.node, OWNER, LEASE.id, [])
    await anext(reader)

    async def free() -> bool:
        try:
            await anext(world.agents.backup(world.node, OWNER, LEASE.id, []))
        except AgentRefused:
            return False
        return True

    assert await eventually(free, bool)


async def test_a_stream_as_a_whole_may_take_as_long_as_its_bytes_need_at_the_least_rate() -> None:
    pace = Pace(BackupLimits(stall_seconds=600, start_seconds=100, least_rate=10))
    first = pace.next_piece().when()
    assert first is not None
    pace.count(1_000)
    assert pace.next_piece().when() == first + 100
    pace.count(10_000_000)
    assert pace.next_piece().when() == pytest.approx(asyncio.get_running_loop().time() + 600, abs=60)


async def test_a_volume_that_the_app_lacks_is_named(world: Hosted) -> None:
    with pytest.raises(AgentRefused, match=r"no volume other: it has data"):
        await world.backup("other")
