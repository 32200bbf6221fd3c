"""Handing a seed on: to whoever has no box, and after a while to whoever has one that may hold nothing."""

from typing import Any, cast

import pytest
from nacl.public import PrivateKey

from flux.agent.handover import DOUBT_AFTER, SeedHandover
from flux.agent.reports import ChainReporter
from flux.agent.source import ChainSource
from flux.contracts.market.types import Lease, LeaseId, LeaseState
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32
from flux.sdk.client import FluxClient
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

    async def leases_of_app(self, _: object) -> list[Lease]:
        return [OURS, self.newcomer]

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
    return SeedHandover(cast(FluxClient, None), NodeId(U32(4)), source, reporter, lambda: now[0])


async def test_a_lease_without_a_box_is_given_one_once(handover: SeedHandover, chain: Chain, now: list[float]) -> None:
    for now[0] in (0.0, 1.0, 2 * DOUBT_AFTER):
        await handover.run_once([OURS])
    assert len(chain.given) == 1


async def test_a_box_of_somebody_else_is_trusted_for_a_while_only(
    handover: SeedHandover, chain: Chain, now: list[float]
) -> None:
    chain.others = [b"junk"]
    for now[0] in (0.0, DOUBT_AFTER - 1):
        await handover.run_once([OURS])
        assert chain.given == []
    for now[0] in (DOUBT_AFTER, DOUBT_AFTER + 1):
        await handover.run_once([OURS])
        assert len(chain.given) == 1


async def test_what_the_chain_refuses_is_not_sent_with_every_block(
    handover: SeedHandover, chain: Chain, now: list[float]
) -> None:
    chain.others, chain.is_full = [b"junk"] * 3, True
    for now[0] in (0.0, DOUBT_AFTER, DOUBT_AFTER + 1, DOUBT_AFTER + 2):
        await handover.run_once([OURS])
    assert len(chain.given) == 1


async def test_who_runs_needs_nothing(handover: SeedHandover, chain: Chain, now: list[float]) -> None:
    chain.newcomer = make_lease(8, LeaseState.RUNNING)
    for now[0] in (0.0, 2 * DOUBT_AFTER):
        await handover.run_once([OURS])
    assert chain.given == []
