"""Opting in and out, the set over epochs, what an operator answers for."""

import pytest

from flux.chain.consensus_info import NO_INFO
from flux.contracts.nodes.types import NodeId, NodeStatus
from flux.contracts.validators.types import (
    AlreadyValidator,
    InvalidOnion,
    InvalidProof,
    KeyTaken,
    NodeLeaves,
    NotJailed,
    NotValidator,
    ValidatorStatus,
)
from flux.kernel.errors import Unauthorized
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.onion import layer
from flux.primitives.types import U16, U32, U64, ConsensusAddress, Hash
from support.contract_lab import account
from support.engine_model import EngineHalted
from support.validator_lab import REVEALS, ValidatorLab, consensus, proof, public_key, secret


def test_a_node_that_opts_in_joins_at_the_epochs_end_and_signs_two_blocks_later() -> None:
    lab = ValidatorLab()
    lab.validator(1)
    assert consensus(1) not in lab.seats()
    lab.epoch()
    # Less than a third of 4,000 may change in one epoch.
    assert lab.seats()[consensus(1)] == 1_333
    assert consensus(1) not in lab.engine.now
    lab.block()
    assert consensus(1) in lab.engine.now
    lab.epoch()
    assert lab.seats()[consensus(1)] == 2_000
    assert {update.power for update in lab.engine.next.values()} == {1_000, 2_000}


def test_with_enough_staked_validators_those_of_the_genesis_go() -> None:
    lab = ValidatorLab(min_validators=U16(2))
    lab.validator(1)
    lab.epoch(3)
    assert len(lab.seats()) == 5
    lab.validator(2)
    lab.epoch(8)
    assert lab.seats() == {consensus(1): 2_000, consensus(2): 2_000}


def test_the_set_stays_when_nobody_qualifies() -> None:
    lab = ValidatorLab(min_validators=U16(1))
    node = lab.validator(1)
    lab.epoch(8)
    assert list(lab.seats()) == [consensus(1)]
    lab.world.send(lab.operators[node], lab.contract.disable, node)
    for _ in range(4):
        lab.epoch()
        assert list(lab.seats()) == [consensus(1)]
        assert lab.engine.now
    assert lab.contract.producer_of(consensus(1)) == lab.operators[node]


def test_power_follows_the_stake() -> None:
    lab = ValidatorLab()
    node = lab.validator(1)
    lab.epoch(3)
    lab.bond(node, 500)
    lab.epoch()
    assert lab.seats()[consensus(1)] == 2_500


def test_ten_validators_share_so_that_none_has_more_than_a_tenth() -> None:
    lab = ValidatorLab(first=1)
    for number in range(1, 11):
        lab.validator(number, stake=30_000 if number < 3 else 2_000)
    lab.epoch(25)
    seats = lab.seats()
    assert len(seats) == 10
    assert all(10 * power <= sum(seats.values()) for power in seats.values())


def test_only_the_largest_get_seats() -> None:
    lab = ValidatorLab(first=1, min_validators=U16(1), max_validators=U16(2))
    for number, stake in ((1, 2_000), (2, 4_000), (3, 3_000)):
        lab.validator(number, stake)
    lab.epoch(25)
    assert lab.seats() == {consensus(2): 4_000, consensus(3): 3_000}


def test_without_an_engine_the_set_is_what_the_stake_says() -> None:
    lab = ValidatorLab(first=0)
    lab.validator(1)
    for _ in range(5):
        lab.world.block(20, NO_INFO)
    assert lab.seats() == {consensus(1): 2_000}


def test_below_the_minimum_nobody_is_a_candidate() -> None:
    lab = ValidatorLab(min_power=U64(2_001))
    lab.validator(1)
    lab.epoch()
    assert consensus(1) not in lab.seats()


def test_what_opting_in_refuses() -> None:
    lab = ValidatorLab()
    node, operator = lab.node(1), account("operator 1")
    onion, count = layer(secret(node), REVEALS), U32(REVEALS)
    enable, send = lab.contract.enable, lab.world.send
    good = proof(1, node, operator)
    with pytest.raises(Unauthorized):
        send(account("operator 2"), enable, node, public_key(1), good, onion, count)
    for bad in (
        proof(2, node, operator),
        proof(1, NodeId(U32(2)), operator),
        proof(1, node, account("operator 2")),
        proof(1, node, operator, chain=1),
        b"",
    ):
        with pytest.raises(InvalidProof):
            send(operator, enable, node, public_key(1), bad, onion, count)
    for reveals, head in ((0, onion), (lab.params.max_reveals + 1, onion), (REVEALS, Hash(bytes(32)))):
        with pytest.raises(InvalidOnion):
            send(operator, enable, node, public_key(1), good, head, U32(reveals))
    lab.enable(node)
    with pytest.raises(AlreadyValidator):
        lab.enable(node, 2)


def test_two_nodes_cannot_share_a_key() -> None:
    lab = ValidatorLab()
    lab.validator(1)
    with pytest.raises(KeyTaken):
        lab.enable(lab.node(2), 1)
    same_operator = lab.world.node(3, operator="operator 1")
    lab.operators[same_operator] = account("operator 1")
    with pytest.raises(KeyTaken):
        lab.enable(same_operator, 1)


def test_a_key_of_the_genesis_is_its_operators_alone() -> None:
    lab = ValidatorLab()
    with pytest.raises(KeyTaken):
        lab.enable(lab.node(1), 100)
    node = lab.world.node(2, operator="founder 0")
    lab.operators[node] = account("founder 0")
    lab.enable(node, 100)
    (seat,) = [seat for seat in lab.seat_infos() if seat.consensus == consensus(100)]
    assert (seat.node, seat.operator) == (node, account("founder 0"))
    lab.epoch()
    assert lab.seats()[consensus(100)] == 1_000


def test_who_opts_out_leaves_at_once_and_is_remembered_as_long_as_evidence_may_come() -> None:
    lab = ValidatorLab()
    node = lab.validator(1, stake=1_000)
    lab.epoch(2)
    lab.world.send(lab.operators[node], lab.contract.disable, node)
    (update,) = lab.block()
    assert (update.public_key, update.power) == (public_key(1), 0)
    with pytest.raises(NotValidator):
        lab.record(node)
    assert lab.contract.producer_of(consensus(1)) == lab.operators[node]
    with pytest.raises(KeyTaken):
        lab.enable(lab.node(2), 1)
    lab.epoch(3)
    assert lab.contract.producer_of(consensus(1)) == ZERO_ADDRESS
    lab.enable(NodeId(U32(2)), 1)


def test_who_comes_back_with_the_same_key_is_not_forgotten() -> None:
    lab = ValidatorLab()
    node = lab.validator(1)
    lab.epoch()
    lab.world.send(lab.operators[node], lab.contract.disable, node)
    lab.enable(node)
    lab.epoch(6)
    assert lab.seats()[consensus(1)] == 2_000
    assert lab.contract.producer_of(consensus(1)) == lab.operators[node]


def test_a_node_that_leaves_the_network_opts_out() -> None:
    lab = ValidatorLab()
    node = lab.validator(1, stake=1_000)
    lab.epoch(2)
    lab.world.send(lab.operators[node], lab.world.nodes.leave, node)
    assert lab.world.nodes.state.nodes.get(node).status is NodeStatus.GONE
    lab.epoch(2)
    assert consensus(1) not in lab.seats()
    with pytest.raises(NodeLeaves):
        lab.enable(node)


def test_going_in_and_out_within_a_block_tells_the_engine_nothing_it_does_not_know() -> None:
    lab = ValidatorLab()
    node = lab.validator(1)
    number = lab.contract.state.epoch.get()
    while lab.contract.state.epoch.get() == number:
        lab.block(seconds=20)
    lab.contract.select(lab.world.world.context(ZERO_ADDRESS), number)
    assert consensus(1) in lab.seats()
    lab.world.send(lab.operators[node], lab.contract.disable, node)
    assert lab.block() == ()


def test_the_engines_model_stops_where_cometbft_would() -> None:
    lab = ValidatorLab()
    first = lab.engine.next[consensus(100)]
    for updates in ([first._replace(public_key=public_key(1), power=0)], [first, first]):
        with pytest.raises(EngineHalted):
            lab.engine.take(updates)
    with pytest.raises(EngineHalted, match="empty"):
        lab.engine.take([update._replace(power=0) for update in lab.engine.next.values()])
    with pytest.raises(EngineHalted, match="light client"):
        lab.engine.take([first._replace(power=3_000)])


def test_what_each_key_did_is_kept_for_those_who_share_out_rewards() -> None:
    lab = ValidatorLab(min_validators=U16(1))
    lab.validator(1, stake=1_000)
    lab.epoch(3)
    before = lab.contract.state.epoch.get()
    lab.epoch()
    ctx = lab.world.world.context(account("anybody"))
    work = {item.node: item for item in lab.contract.signed_blocks(ctx, before)}
    assert work[NodeId(U32(1))].operator == lab.operators[NodeId(U32(1))]
    assert work[NodeId(U32(1))].signed > 0
    assert not work[NodeId(U32(1))].revealed
    assert sum(item.proposed for item in lab.contract.signed_blocks(ctx, before)) >= 3
    assert lab.contract.signed_blocks(ctx, U64(99)) == []  # type: ignore[arg-type]
    lab.epoch(lab.params.epochs_kept)
    assert lab.contract.signed_blocks(lab.world.world.context(account("anybody")), before) == []


def test_views_page_and_name() -> None:
    lab = ValidatorLab()
    for number in (1, 2, 3):
        lab.validator(number)
    ctx = lab.world.world.context(account("anybody"))
    assert [item.node for item in lab.contract.validators(ctx, NodeId(U32(2)), U16(1))] == [2]
    assert [item.node for item in lab.contract.validators(ctx, NodeId(U32(0)), U16(9))] == [1, 2, 3]
    assert lab.contract.operator_of(ctx, consensus(101)) == account("founder 1")
    assert lab.contract.operator_of(ctx, ConsensusAddress(ZERO_ADDRESS)) == ZERO_ADDRESS
    assert lab.record(NodeId(U32(1))).status is ValidatorStatus.ACTIVE
    with pytest.raises(NotJailed):
        lab.world.send(lab.operators[NodeId(U32(1))], lab.contract.unjail, NodeId(U32(1)))
