"""Handing a seed on: to whoever has no box, and after a while to whoever has one that may hold nothing."""

from typing import Any, cast

import pytest
from nacl.public import PrivateKey

from flux.agent.handover import DOUBT_AFTER, LOOK_AGAIN, MAX_BLOCKS, SeedHandover
from flux.agent.reports import ChainReporter
from flux.agent.source import ChainSource
from flux.contracts.apps.types import AppId
from flux.contracts.market.types import Lease, LeaseId, LeaseState
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32, U64
from flux.sdk.client import FluxClient
from flux.sdk.errors import RpcError
from flux.specs.private_half import open_box
from support.leases import make_lease

OURS = make_lease(7, LeaseState.RUNNING)
KEY = PrivateKey.generate()
SEED = b"s" * 16


class Chain:
    """What the handover asks, and what it reports."""

    def __init__(self) -> None:
        self.newcomer = make_lease(8)
        self.others: list[bytes] = []
        self.given: list[bytes] = []
        self.is_full = False
        self.blocks: dict[int, set[AppId]] = {}
        """What each block placed, where it placed something."""
        self.asked: list[AppId] = []
        """Apps whose leases were asked for."""
        self.ranges: list[tuple[int, int]] = []

    async def leases_of_app(self, app: AppId) -> list[Lease]:
        self.asked.append(app)
        return [lease for lease in (OURS, self.newcomer) if lease.app == app]

    async def placed(self, first: int, last: int) -> set[AppId]:
        self.ranges.append((first, last))
        return {app for block in range(first, last + 1) for app in self.blocks.get(block, ())}

    async def boxes(self, _: object) -> list[bytes]:
        return [*self.others, *self.given]

    async def node(self, _: object) -> Any:
        chain = self

        class Endpoint:
            seal_key = bytes(KEY.public_key)

        class Record:
            id = chain.newcomer.node
            endpoint = Endpoint

        return Record

    def seed(self, _: Lease) -> bytes:
        return SEED

    async def find_seed(self, _: Lease) -> bytes:
        return SEED

    async def hand_over(self, lease: LeaseId, _: int, box: bytes) -> bool:
        assert lease == self.newcomer.id
        assert open_box(box, bytes(KEY)) == SEED
        self.given.append(box)
        return not self.is_full


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def handover(chain: Chain, now: list[float], monkeypatch: pytest.MonkeyPatch) -> SeedHandover:
    for name in ("Market", "Nodes", "Secrets"):
        monkeypatch.setattr(f"flux.agent.handover.{name}", lambda _: chain)
    source, reporter = cast(ChainSource, chain), cast(ChainReporter, chain)
    return SeedHandover(cast(FluxClient, None), NodeId(U32(4)), source, reporter, lambda: now[0], chain)


async def test_a_lease_without_a_box_is_given_one_once(handover: SeedHandover, chain: Chain, now: list[float]) -> None:
    for now[0] in (0.0, 1.0, 2 * DOUBT_AFTER):
        await handover.run_once([OURS], 1 + int(now[0]))
    assert len(chain.given) == 1


async def test_a_box_of_somebody_else_is_trusted_for_a_while_only(
    handover: SeedHandover, chain: Chain, now: list[float]
) -> None:
    chain.others = [b"junk"]
    for now[0] in (0.0, DOUBT_AFTER - 1):
        await handover.run_once([OURS], 1 + int(now[0]))
        assert chain.given == []
    for now[0] in (DOUBT_AFTER, DOUBT_AFTER + 1):
        await handover.run_once([OURS], 1 + int(now[0]))
        assert len(chain.given) == 1


async def test_what_the_chain_refuses_is_not_sent_with_every_block(
    handover: SeedHandover, chain: Chain, now: list[float]
) -> None:
    chain.others, chain.is_full = [b"junk"] * 3, True
    for now[0] in (0.0, DOUBT_AFTER, DOUBT_AFTER + 1, DOUBT_AFTER + 2):
        await handover.run_once([OURS], 1 + int(now[0]))
    assert len(chain.given) == 1


async def test_who_runs_needs_nothing(handover: SeedHandover, chain: Chain, now: list[float]) -> None:
    chain.newcomer = make_lease(8, LeaseState.RUNNING)
    for now[0] in (0.0, 2 * DOUBT_AFTER):
        await handover.run_once([OURS], 1 + int(now[0]))
    assert chain.given == []


HUNDRED = [OURS.but(id=LeaseId(U64(100 + app)), app=AppId(U64(100 + app))) for app in range(100)]


async def test_a_block_costs_one_question_however_much_is_hosted(
    handover: SeedHandover, chain: Chain, now: list[float]
) -> None:
    await handover.run_once(HUNDRED, 1)
    assert len(chain.asked) == len(HUNDRED)
    for block in range(2, 12):
        await handover.run_once(HUNDRED, block)
    assert len(chain.asked) == len(HUNDRED)
    assert chain.ranges == [(block, block) for block in range(2, 12)]
    now[0] = LOOK_AGAIN
    await handover.run_once(HUNDRED, 12)
    assert len(chain.asked) == 2 * len(HUNDRED)


async def test_who_hosts_nothing_private_asks_nothing(handover: SeedHandover, chain: Chain) -> None:
    for block in range(1, 10):
        await handover.run_once([], block)
    assert (chain.asked, chain.ranges) == ([], [])


async def test_what_a_block_placed_is_given_its_seed_in_that_block(handover: SeedHandover, chain: Chain) -> None:
    newcomer, chain.newcomer = chain.newcomer, make_lease(8, LeaseState.RUNNING)
    await handover.run_once([OURS, *HUNDRED], 1)
    chain.newcomer = newcomer
    await handover.run_once([OURS, *HUNDRED], 2)
    assert chain.given == []
    chain.blocks[4] = {newcomer.app}
    await handover.run_once([OURS, *HUNDRED], 5)  # blocks may be heard of late
    assert len(chain.given) == 1


async def test_who_slept_for_long_looks_at_every_app(handover: SeedHandover, chain: Chain) -> None:
    await handover.run_once(HUNDRED, 1)
    await handover.run_once(HUNDRED, 2 + MAX_BLOCKS)
    assert (len(chain.asked), chain.ranges) == (2 * len(HUNDRED), [])


async def test_where_logs_are_refused_every_app_is_looked_at_and_the_next_block_asks_for_its_own(
    handover: SeedHandover, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(first: int, last: int) -> set[AppId]:
        raise RpcError(-32005, f"blocks {first} to {last} have too many logs")

    await handover.run_once(HUNDRED, 1)
    with monkeypatch.context() as patch:
        patch.setattr(chain, "placed", refuse)
        await handover.run_once(HUNDRED, 5)
    assert len(chain.asked) == 2 * len(HUNDRED)
    await handover.run_once(HUNDRED, 6)
    assert (len(chain.asked), chain.ranges) == (2 * len(HUNDRED), [(6, 6)])


async def test_an_app_with_a_lease_that_waits_is_looked_at_with_every_block(
    handover: SeedHandover, chain: Chain
) -> None:
    chain.others = [b"junk"]
    for block in range(1, 5):
        await handover.run_once([OURS, *HUNDRED], block)
    assert chain.asked.count(OURS.app) == 4
    assert len(chain.asked) == 4 + len(HUNDRED)
