"""Double signing and downtime: punished once, only where stake still answers, and without stopping the engine."""

import pytest

from flux.contracts.nodes.types import NodeId, NodeStatus
from flux.contracts.validators.types import (
    EvidenceIgnored,
    NotJailed,
    StillJailed,
    Tombstoned,
    ValidatorJailed,
    ValidatorStatus,
)
from flux.primitives.types import U32, U64, Timestamp
from support.contract_lab import FLUX, account
from support.validator_lab import ValidatorLab, consensus, double_sign


@pytest.fixture
def lab() -> ValidatorLab:
    """Four founders of 1,000 and node 1 with 2,000."""
    lab = ValidatorLab()
    lab.validator(1)
    lab.epoch(3)
    assert lab.seats()[consensus(1)] == 2_000
    return lab


NODE = NodeId(U32(1))


def test_a_double_signer_pays_a_twentieth_and_is_out_for_ever(lab: ValidatorLab) -> None:
    burned = lab.world.accounts.state.burned.get()
    lab.block(misbehavior=[double_sign(1, lab.now - 5)])
    assert lab.stake(NODE) == 1_900 * FLUX
    assert lab.world.accounts.state.burned.get() - burned == 100 * FLUX
    assert lab.record(NODE).status is ValidatorStatus.TOMBSTONED
    # A third of the power had to stay: the rest goes at the next epoch's end.
    assert lab.seats()[consensus(1)] == 1
    lab.epoch(2)
    assert consensus(1) not in lab.seats()
    with pytest.raises(Tombstoned):
        lab.enable(NODE, 7)
    with pytest.raises(Tombstoned):
        lab.world.send(lab.operators[NODE], lab.contract.disable, NODE)
    with pytest.raises(NotJailed):
        lab.world.send(lab.operators[NODE], lab.contract.unjail, NODE)
    other = lab.node(2)
    with pytest.raises(Tombstoned):
        lab.enable(other, 1)
    lab.epoch(8)
    with pytest.raises(Tombstoned):
        lab.enable(other, 1)


def test_it_is_punished_once_however_much_evidence_comes(lab: ValidatorLab) -> None:
    evidence = [double_sign(1, lab.now - 5, height) for height in (3, 4)]
    lab.block(misbehavior=evidence)
    lab.block(misbehavior=evidence)
    assert lab.stake(NODE) == 1_900 * FLUX


def test_a_small_double_signer_is_out_in_the_same_block() -> None:
    lab = ValidatorLab()
    node = lab.validator(1, stake=1_200)
    lab.epoch(2)
    (update,) = lab.block(misbehavior=[double_sign(1, lab.now - 5)])
    assert update.power == 0
    assert lab.stake(node) == 1_140 * FLUX


def test_evidence_that_is_too_old_or_against_nobody_known_is_ignored(lab: ValidatorLab) -> None:
    age = lab.params.evidence_age
    lab.block(misbehavior=[double_sign(1, lab.now - age - 1), double_sign(55, lab.now)])
    assert lab.stake(NODE) == 2_000 * FLUX
    time = Timestamp(U64(lab.now - 1))
    assert lab.world.world.emitted(lab.contract, EvidenceIgnored(consensus(55), time))
    lab.block(misbehavior=[double_sign(1, lab.now - age)])
    assert lab.stake(NODE) == 1_900 * FLUX


def test_opting_out_and_leaving_right_after_does_not_help(lab: ValidatorLab) -> None:
    time = lab.now
    lab.world.send(lab.operators[NODE], lab.contract.disable, NODE)
    lab.block()
    lab.world.send(lab.operators[NODE], lab.world.nodes.leave, NODE)
    assert lab.world.nodes.state.nodes.get(NODE).status is NodeStatus.GONE
    before = lab.world.accounts.state.burned.get()
    lab.block(misbehavior=[double_sign(1, time)])
    assert lab.world.accounts.state.burned.get() - before == 100 * FLUX
    assert lab.record(NODE).status is ValidatorStatus.TOMBSTONED


def test_another_key_of_the_same_node_goes_too(lab: ValidatorLab) -> None:
    time = lab.now
    lab.world.send(lab.operators[NODE], lab.contract.disable, NODE)
    lab.enable(NODE, 9)
    lab.epoch()
    lab.block(misbehavior=[double_sign(1, time + 50)])
    assert lab.record(NODE).status is ValidatorStatus.TOMBSTONED
    lab.epoch(3)
    assert not {consensus(1), consensus(9)} & set(lab.seats())


def test_a_founder_without_a_node_loses_its_seat(lab: ValidatorLab) -> None:
    (update,) = lab.block(misbehavior=[double_sign(100, lab.now)])
    assert update.power == 0
    assert lab.contract.producer_of(consensus(100)) == account("founder 0")
    lab.epoch(3)
    assert consensus(100) not in lab.seats()


def test_who_misses_too_many_blocks_pays_a_thousandth_and_returns_when_it_says_so(lab: ValidatorLab) -> None:
    while lab.world.world.block.height % lab.params.missed_window:
        lab.block()
    for _ in range(lab.params.max_missed):
        lab.block(absent=[1])
    assert lab.record(NODE).status is ValidatorStatus.ACTIVE
    lab.block(absent=[1])
    validator = lab.record(NODE)
    assert validator.status is ValidatorStatus.JAILED
    assert lab.stake(NODE) == 1_998 * FLUX
    assert lab.world.world.emitted(lab.contract, ValidatorJailed(NODE, validator.jailed_until, 2 * FLUX))  # type: ignore[arg-type]
    unjail, operator = lab.contract.unjail, lab.operators[NODE]
    with pytest.raises(StillJailed):
        lab.world.send(operator, unjail, NODE)
    lab.epoch(2)
    assert consensus(1) not in lab.seats()
    lab.world.send(operator, unjail, NODE)
    lab.epoch(2)
    assert lab.seats()[consensus(1)] == 1_998


def test_what_was_missed_in_another_window_is_forgiven(lab: ValidatorLab) -> None:
    while lab.world.world.block.height % lab.params.missed_window != lab.params.missed_window - 20:
        lab.block()
    for _ in range(45):
        lab.block(absent=[1])
    assert lab.record(NODE).status is ValidatorStatus.ACTIVE


def test_a_jailed_validator_is_not_jailed_again_for_its_last_blocks(lab: ValidatorLab) -> None:
    for _ in range(4 * lab.params.max_missed):
        lab.block(absent=[1])
    assert lab.stake(NODE) == 1_998 * FLUX


def test_founders_without_stake_are_not_jailed(lab: ValidatorLab) -> None:
    for _ in range(2 * lab.params.max_missed):
        lab.block(absent=[100])
    assert consensus(100) in lab.seats()


def test_when_all_are_down_but_one_the_set_is_not_emptied() -> None:
    lab = ValidatorLab(first=1, min_validators=2)
    for number in (1, 2, 3):
        lab.validator(number)
    lab.epoch(12)
    assert len(lab.seats()) == 3
    for _ in range(2 * lab.params.max_missed):
        lab.block(absent=[1, 2, 3])
    lab.epoch(6)
    assert lab.seats()
    assert {lab.record(NodeId(U32(number))).status for number in (1, 2, 3)} == {ValidatorStatus.JAILED}


def test_however_many_are_caught_in_one_epoch_less_than_a_third_of_the_power_changes() -> None:
    lab = ValidatorLab(first=1, min_validators=2)
    for number in range(1, 9):
        lab.validator(number)
    lab.epoch(16)
    before = lab.seats()
    assert sorted(before.values()) == [2_000] * 8
    for number in range(1, 7):
        lab.block(misbehavior=[double_sign(number, lab.now)])
    after = lab.seats()
    changed = sum(abs(after.get(key, 0) - power) for key, power in before.items())
    assert 0 < 3 * changed < sum(before.values())
    assert sum(lab.stake(NodeId(U32(number))) == 1_900 * FLUX for number in range(1, 9)) == 6
    lab.epoch(12)
    assert set(lab.seats()) == {consensus(7), consensus(8)}


def test_faults_in_the_block_that_chooses_the_set_count_with_the_choice() -> None:
    """The engine of the lab stops where more than a third changes in one block."""
    lab = ValidatorLab(first=1, min_validators=2)
    for number in range(1, 9):
        lab.validator(number)
    lab.epoch(16)
    for number in range(9, 13):
        lab.validator(number, stake=9_000)
    epoch = lab.contract.state.epoch.get()
    while lab.contract.state.epoch.get() == epoch:
        lab.block(seconds=20)
    before = lab.seats()
    lab.block(misbehavior=[double_sign(number, lab.now) for number in (1, 2)])
    changed = sum(abs(lab.seats().get(key, 0) - before.get(key, 0)) for key in {*before, *lab.seats()})
    assert 0 < 3 * changed < sum(before.values())
