"""The seed of epochs: from what validators reveal, and from the hash chain where nobody does."""

import pytest

from flux.contracts.nodes.types import NodeId
from flux.contracts.validators import rules
from flux.contracts.validators.types import (
    InvalidOnion,
    NotActiveAgent,
    NotSeated,
    NotValidator,
    OnionExhausted,
    OnionNotUsedUp,
    RevealNotDue,
    WrongPreimage,
)
from flux.primitives.onion import layer
from flux.primitives.types import U32, Hash
from support.contract_lab import account
from support.validator_lab import REVEALS, ValidatorLab, secret

ONE, TWO = NodeId(U32(1)), NodeId(U32(2))


@pytest.fixture
def lab() -> ValidatorLab:
    lab = ValidatorLab()
    lab.validator(1)
    lab.validator(2)
    lab.epoch(3)
    return lab


def seed(lab: ValidatorLab) -> Hash:
    return lab.world.probes.state.epoch.get().seed


def test_the_seed_is_made_of_what_was_revealed_and_of_nothing_else(lab: ValidatorLab) -> None:
    before = seed(lab)
    lab.reveal(ONE)
    lab.block()
    lab.reveal(TWO)
    lab.epoch()
    mix = Hash(bytes(32))
    for node in (TWO, ONE):
        mix = rules.mixed(mix, layer(secret(node), REVEALS - 1))
    assert seed(lab) == rules.revealed_seed(before, mix, lab.contract.state.epoch.get())


def test_where_nobody_reveals_the_seed_goes_on_as_a_hash_chain(lab: ValidatorLab) -> None:
    before = seed(lab)
    lab.epoch()
    assert seed(lab) != before
    assert lab.contract.state.mix.get().reveals == 0


def test_each_validator_reveals_once_in_an_epoch_and_only_its_next_preimage(lab: ValidatorLab) -> None:
    with pytest.raises(WrongPreimage):
        lab.reveal(ONE, count=2)
    lab.reveal(ONE)
    with pytest.raises(RevealNotDue):
        lab.reveal(ONE, count=2)
    lab.epoch()
    with pytest.raises(WrongPreimage):
        lab.reveal(ONE)
    lab.reveal(ONE, count=2)
    assert lab.record(ONE).reveals_left == REVEALS - 2


def test_revealing_counts_for_the_epochs_work(lab: ValidatorLab) -> None:
    lab.reveal(ONE)
    epoch = lab.contract.state.epoch.get()
    lab.epoch()
    work = {item.node: item for item in lab.contract.signed_blocks(lab.world.world.context(account("x")), epoch)}
    assert work[ONE].revealed
    assert not work[TWO].revealed


def test_a_node_without_a_seat_cannot_weigh_on_the_seed(lab: ValidatorLab) -> None:
    node = lab.validator(3)
    with pytest.raises(NotSeated):
        lab.reveal(node)
    with pytest.raises(NotValidator):
        lab.reveal(lab.node(4))
    with pytest.raises(NotActiveAgent):
        lab.world.send(account("anybody"), lab.contract.reveal, Hash(bytes(32)))


def test_an_onion_chosen_in_this_epoch_counts_from_the_next(lab: ValidatorLab) -> None:
    operator = lab.operators[ONE]
    lab.world.send(operator, lab.contract.set_onion, ONE, layer(secret(ONE, 1), 5), U32(5))
    with pytest.raises(RevealNotDue):
        lab.reveal(ONE, 1, generation=1, reveals=5)
    lab.epoch()
    lab.reveal(ONE, 1, generation=1, reveals=5)


def test_an_agent_renews_an_onion_that_is_used_up_without_missing_an_epoch(lab: ValidatorLab) -> None:
    operator, agent = lab.operators[ONE], lab.world.agents[ONE]
    lab.world.send(operator, lab.contract.set_onion, ONE, layer(secret(ONE, 1), 2), U32(2))
    lab.epoch()
    lab.reveal(ONE, 1, generation=1, reveals=2)
    renewed = layer(secret(ONE, 2), 7)
    with pytest.raises(OnionNotUsedUp):
        lab.world.send(agent, lab.contract.renew_onion, renewed, U32(7))
    lab.epoch()
    lab.reveal(ONE, 2, generation=1, reveals=2)
    with pytest.raises(InvalidOnion):
        lab.world.send(agent, lab.contract.renew_onion, renewed, U32(0))
    lab.epoch()
    with pytest.raises(OnionExhausted):
        lab.reveal(ONE, 2, generation=1, reveals=2)
    lab.world.send(agent, lab.contract.renew_onion, renewed, U32(7))
    with pytest.raises(RevealNotDue):
        lab.reveal(ONE, 1, generation=2, reveals=7)
    lab.epoch()
    lab.reveal(ONE, 1, generation=2, reveals=7)
