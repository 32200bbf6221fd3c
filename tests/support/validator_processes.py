"""Validators as processes of their own, killed and started again by tests, and clients that watch what they say."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tools.ports import free_row

from flux.consensus.cometbft.config import Timing
from flux.primitives.hexadecimal import to_hex
from flux.primitives.keccak import keccak256
from flux.primitives.types import Address
from flux.sdk.errors import ClientError, RpcError
from flux.sdk.transport import HttpTransport
from flux.services.local_validators import ValidatorPlace, make_validators
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from support.transactions import signed
from support.waiting import until

BATCH = 500
"""Requests in one batch; an RPC takes 1,000 at most."""
TESTS = Path(__file__).parents[1]
PATIENCE = 120.0
"""Seconds; most waits end in two, but a loaded machine is slow."""
QUICK = Timing(pause=0.1, gossip=0.02)
RECIPIENT = Address(b"\x77" * 20)


@dataclass(slots=True)
class Validator:
    """One of them."""

    number: int
    place: ValidatorPlace
    rpc_host: str
    rpc_port: int
    options: tuple[str, ...] = ()
    """Of `validator_child.py`: what it does wrong."""
    before: tuple[str, ...] = ()
    """A command that runs it elsewhere, as in another network namespace."""
    process: "subprocess.Popen[bytes] | None" = None
    transport: HttpTransport = field(init=False)

    def __post_init__(self) -> None:
        self.transport = HttpTransport(f"http://{self.rpc_host}:{self.rpc_port}")

    @property
    def log(self) -> Path:
        return self.place.home.parent / f"validator-{self.number}.log"

    def start(self) -> None:
        """Start its processes; they go on where they were."""
        command = [*self.before, sys.executable, str(TESTS / "support" / "validator_child.py")]
        command += [str(self.place.home), self.rpc_host, str(self.rpc_port), *self.options]
        environment = os.environ | {"PYTHONPATH": str(TESTS)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)

    @property
    def comet(self) -> psutil.Process | None:
        """Its cometbft, while it runs."""
        if self.process is None or self.process.poll() is not None:
            return None
        with suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                if child.name() == "cometbft":
                    return child
        return None

    def kill_comet(self) -> None:
        """kill -9 of CometBFT alone; the application starts it again."""
        if (comet := self.comet) is not None:
            with suppress(psutil.Error):
                comet.kill()

    def kill_application(self) -> None:
        """kill -9 of the application alone; CometBFT ends by itself."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def kill(self) -> None:
        """kill -9 of both."""
        comet = self.comet
        self.kill_application()
        if comet is not None:
            with suppress(psutil.Error):
                comet.kill()

    async def stop(self) -> None:
        """As an operator stops it."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                await asyncio.to_thread(self.process.wait, 30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                await asyncio.to_thread(self.process.wait)

    async def height(self) -> int:
        """-1 while it does not answer."""
        try:
            return int(await self.transport.request("eth_blockNumber"), 16)
        except ClientError:
            return -1

    async def block(self, number: int) -> Mapping[str, Any] | None:
        """A block of its chain."""
        found: Mapping[str, Any] | None = await self.transport.request("eth_getBlockByNumber", hex(number), False)
        return found


@dataclass(slots=True)
class Network:
    """All of them."""

    validators: list[Validator]

    async def heights(self) -> list[int]:
        """Of each, -1 where it does not answer."""
        return list(await asyncio.gather(*(validator.height() for validator in self.validators)))

    async def until_height(self, height: int, among: Sequence[Validator] | None = None) -> None:
        """Wait until each of them has passed a height."""
        watched = self.validators if among is None else among

        async def has_passed() -> bool:
            return min(await asyncio.gather(*(validator.height() for validator in watched))) > height

        numbers = [item.number for item in watched]
        await until(has_passed, PATIENCE, lambda: f"height {height} is passed by {numbers}: {self.tails()}", poll=0.1)

    async def until_higher(self, blocks: int = 2, among: Sequence[Validator] | None = None) -> None:
        """Wait until each has passed the highest of all by so many blocks."""
        await self.until_height(max(await self.heights()) + blocks, among)

    async def check_one_history(self) -> int:
        """Every validator has the same blocks with the same roots; the height up to which that was looked at."""
        height = min(await self.heights())
        assert height > 0
        for number in {1, max(1, height // 2), max(1, height - 1), height}:
            blocks = [await validator.block(number) for validator in self.validators]
            assert all(block is not None for block in blocks)
            found = {
                (block["hash"], block["stateRoot"], block["receiptsRoot"]) for block in blocks if block is not None
            }
            assert len(found) == 1, f"block {number} differs: {found}"
        return height

    def tails(self) -> str:
        """The last lines of their logs, for failures."""
        return "\n".join(
            f"--- validator {item.number}\n" + "\n".join(item.log.read_text(errors="replace").splitlines()[-15:])
            for item in self.validators
        )


@dataclass(slots=True)
class Traffic:
    """Clients that send transfers of one wei to one recipient and remember every receipt that they saw."""

    network: Network
    accounts: Sequence[int] = (0, 1, 2, 3)
    burst: int = 10
    seen: dict[str, str] = field(default_factory=dict)
    """Block hash by transaction hash."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _stopping: bool = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Traffic"]:
        """Send while the block lasts; then the last ones are waited for."""
        self._stopping = False
        self._tasks = [asyncio.create_task(self._client(account)) for account in self.accounts]
        try:
            yield self
        finally:
            self._stopping = True
            await asyncio.gather(*self._tasks)

    async def check_nothing_was_lost_or_done_twice(self) -> None:
        """Every receipt that was seen is on every validator, and as much arrived as was sent."""
        assert len(self.seen) > 20
        for validator in self.network.validators:
            calls = [("eth_getTransactionReceipt", (transaction,)) for transaction in self.seen]
            receipts = [
                receipt
                for first in range(0, len(calls), BATCH)
                for receipt in await validator.transport.batch(calls[first : first + BATCH])
            ]
            for (transaction, block), receipt in zip(self.seen.items(), receipts, strict=True):
                assert receipt is not None, f"{transaction} is lost on validator {validator.number}"
                assert (receipt["blockHash"], receipt["status"]) == (block, "0x1")
            nonces = await validator.transport.batch(
                [("eth_getTransactionCount", (_address(account), "latest")) for account in self.accounts]
            )
            balance = await validator.transport.request("eth_getBalance", to_hex(RECIPIENT), "latest")
            assert int(balance, 16) == sum(int(nonce, 16) for nonce in nonces)

    async def _client(self, account: int) -> None:
        key, turn = development_key(account, LOCAL_CHAIN_ID).private_key, account
        nonce = 0
        while not self._stopping:
            raws = [
                signed(key, nonce=nonce + step, to=to_hex(RECIPIENT), maxFeePerGas=10**12) for step in range(self.burst)
            ]
            turn = await self._deliver(raws, turn)
            nonce += self.burst

    async def _deliver(self, raws: Sequence[bytes], turn: int) -> int:
        """Send to one validator after the other until every receipt was seen; which validator knew them."""
        hashes = [to_hex(keccak256(raw)) for raw in raws]
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            assert asyncio.get_running_loop().time() < deadline, f"no receipts: {self.network.tails()}"
            transport = self.network.validators[turn % len(self.network.validators)].transport
            with suppress(ClientError):
                for raw in raws:
                    # Known already, or its nonce used: it was sent before, and its receipt will tell.
                    with suppress(RpcError):
                        await transport.request("eth_sendRawTransaction", to_hex(raw))
                for _ in range(50):
                    receipts = await transport.batch([("eth_getTransactionReceipt", (item,)) for item in hashes])
                    if all(receipt is not None for receipt in receipts):
                        self.seen |= {item["transactionHash"]: item["blockHash"] for item in receipts}
                        return turn
                    await asyncio.sleep(0.1)
            turn += 1
            await asyncio.sleep(0.05)


@asynccontextmanager
async def network(
    folder: Path, count: int = 4, *, options: Mapping[int, tuple[str, ...]] | None = None, timing: Timing = QUICK
) -> AsyncIterator[Network]:
    """A network on loopback that has made its first blocks. `options` by validator, from 0."""
    ports = free_row(3 * count)
    places = [ValidatorPlace(folder / str(index), ports + 3 * index, ports + 3 * index + 1) for index in range(count)]
    make_validators(places, timing=timing)
    validators = [
        Validator(index, place, "127.0.0.1", ports + 3 * index + 2, (options or {}).get(index, ()))
        for index, place in enumerate(places)
    ]
    async with started(validators) as made:
        yield made


@asynccontextmanager
async def started(validators: list[Validator]) -> AsyncIterator[Network]:
    """Run them while the block lasts, from their first blocks on."""
    made = Network(validators)
    try:
        for validator in validators:
            validator.start()
        await made.until_height(1)
        yield made
    finally:
        await asyncio.gather(*(validator.stop() for validator in validators))
        for validator in validators:
            await validator.transport.close()


def _address(account: int) -> str:
    return to_hex(development_key(account, LOCAL_CHAIN_ID).address)
