"""A validator's agent reveals once in an epoch, renews its onion, and never loses what the chain names."""

from pathlib import Path

import pytest

from flux.agent.onion import FILE, KEPT, OnionError, OnionStore
from flux.agent.reveals import Revealer
from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import Epoch
from flux.contracts.validators.types import Validator, ValidatorStatus
from flux.primitives.onion import is_preimage
from flux.primitives.types import U32, U64, Address, ChainTime, ConsensusAddress, Hash

NEVER = ChainTime(U64(0))


def record(onion: Hash, left: int, since: int = 1) -> Validator:
    return Validator(
        NodeId(U32(1)),
        ConsensusAddress(Address(b"\x01" * 20)),
        ValidatorStatus.ACTIVE,
        NEVER,
        NEVER,
        onion,
        U32(left),
        Epoch(U64(since)),
        Epoch(U64(0)),
    )


class Chain:
    """The validators contract for one node, as far as the agent sees it."""

    def __init__(self, validator: Validator | None) -> None:
        self.record = validator
        self.number = 1
        self.seated = True
        self.answers = True
        self.sent: list[Hash] = []

    async def validator(self) -> Validator | None:
        return self.record

    async def epoch(self) -> int:
        return self.number

    async def is_seated(self, validator: Validator) -> bool:
        return self.seated

    async def reveal(self, preimage: Hash) -> bool:
        assert self.record is not None
        self.sent.append(preimage)
        if not self.answers:
            return False
        assert is_preimage(preimage, self.record.onion)
        assert self.record.revealed_next <= self.number
        self.record = self.record.but(
            onion=preimage, reveals_left=self.record.reveals_left - 1, revealed_next=self.number + 1
        )
        return True

    async def renew_onion(self, onion: Hash, reveals: U32) -> bool:
        assert self.record is not None
        if not self.answers:
            return False
        self.record = self.record.but(onion=onion, reveals_left=reveals, reveals_from=self.number + 1)
        return True


@pytest.fixture
def onions(tmp_path: Path) -> OnionStore:
    return OnionStore(tmp_path)


async def test_each_epoch_one_layer_is_revealed_until_the_secret_and_then_a_new_onion_follows(
    onions: OnionStore,
) -> None:
    first = onions.newest(3)
    chain = Chain(record(first.head, 3))
    revealer = Revealer(chain, chain, onions)
    for _ in range(3):
        await revealer.run_once()
        await revealer.run_once()
        chain.number += 1
    assert len(chain.sent) == 3
    assert chain.sent[-1] == bytes.fromhex(first.secret)
    await revealer.run_once()
    assert chain.record is not None
    assert chain.record.onion == onions.newest().head != first.head
    chain.number += 1
    await revealer.run_once()
    assert len(chain.sent) == 4


async def test_a_reveal_that_was_not_taken_is_sent_again(onions: OnionStore) -> None:
    chain = Chain(record(onions.newest(9).head, 9))
    chain.answers = False
    revealer = Revealer(chain, chain, onions)
    await revealer.run_once()
    chain.answers = True
    await revealer.run_once()
    await revealer.run_once()
    assert chain.sent[0] == chain.sent[1]
    assert len(chain.sent) == 2


async def test_nothing_is_sent_before_it_counts(onions: OnionStore) -> None:
    head = onions.newest(9).head
    unseated = Chain(record(head, 9))
    unseated.seated = False
    for chain in (Chain(None), Chain(record(head, 9, since=2)), unseated):
        await Revealer(chain, chain, onions).run_once()
        assert chain.sent == []


async def test_a_lost_onion_is_no_reason_to_stop(onions: OnionStore) -> None:
    onions.newest(5)
    chain = Chain(record(Hash(b"\x09" * 32), 5))
    await Revealer(chain, chain, onions).run_once()
    assert chain.sent == []


async def test_an_onion_that_the_chain_never_heard_of_does_not_hide_the_one_that_it_names(onions: OnionStore) -> None:
    named = onions.newest(5)
    onions.add(6)
    chain = Chain(record(named.head, 5))
    await Revealer(chain, chain, onions).run_once()
    assert len(chain.sent) == 1


def test_the_file_is_private_keeps_a_few_and_says_when_it_is_damaged(onions: OnionStore) -> None:
    for _ in range(KEPT + 2):
        onions.add(2)
    assert len(onions.load()) == KEPT
    path = onions.home / FILE
    assert path.stat().st_mode & 0o077 == 0
    path.write_text("{")
    with pytest.raises(OnionError, match="backup"):
        onions.load()
