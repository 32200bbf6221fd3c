"""Each invariant notices what it is there for."""

from collections.abc import Callable

import pytest

from flux.contracts.nodes.types import NodeId
from flux.contracts.validators.contract import Validators
from flux.contracts.validators.invariants import check
from flux.contracts.validators.types import Seat, ValidatorStatus
from flux.primitives.types import U32, U64, ChainTime
from support.contract_lab import account
from support.validator_lab import ValidatorLab, consensus, public_key

ONE, TWO = NodeId(U32(1)), NodeId(U32(2))
LATER = ChainTime(U64(5))


def forget_key(contract: Validators) -> None:
    contract.state.keys.delete(consensus(1))


def misplace_key(contract: Validators) -> None:
    contract.state.keys.set(consensus(9), contract.state.keys.get(consensus(1)))


def retire_without_waiting(contract: Validators) -> None:
    key = contract.state.keys.get(consensus(1))
    contract.state.keys.set(consensus(1), key.but(retired_at=LATER))


def wait_unknown(contract: Validators) -> None:
    contract.state.retired.add((LATER, consensus(9)))


def wait_tombstoned(contract: Validators) -> None:
    key = contract.state.keys.get(consensus(1))
    contract.state.keys.set(consensus(1), key.but(tombstoned=True, retired_at=LATER))
    contract.state.retired.add((LATER, consensus(1)))


def empty_seat(contract: Validators) -> None:
    contract.state.seats.set(consensus(100), Seat(public_key(100), U64(0)))


def strange_seat(contract: Validators) -> None:
    contract.state.seats.set(consensus(9), Seat(public_key(9), U64(5)))


def forgotten_update(contract: Validators) -> None:
    contract.state.touched.set(consensus(100), Seat(public_key(100), U64(5)))


def wrong_node(contract: Validators) -> None:
    contract.state.validators.set(TWO, contract.state.validators.get(ONE))


def timeless_jail(contract: Validators) -> None:
    record = contract.state.validators.get(ONE)
    contract.state.validators.set(ONE, record.but(status=ValidatorStatus.JAILED))


def early_reveal(contract: Validators) -> None:
    record = contract.state.validators.get(ONE)
    contract.state.validators.set(ONE, record.but(revealed_next=contract.state.epoch.get() + 2))


@pytest.mark.parametrize(
    ("break_it", "complaint"),
    [
        (forget_key, "no key that answers"),
        (misplace_key, "under another address"),
        (retire_without_waiting, "but waits since"),
        (wait_unknown, "is not known"),
        (wait_tombstoned, "would be forgotten"),
        (empty_seat, "without power"),
        (strange_seat, "nobody answers for"),
        (forgotten_update, "not told of all changes"),
        (wrong_node, "names node"),
        (wrong_node, "shares its key"),
        (timeless_jail, "JAILED until 0"),
        (early_reveal, "in an epoch to come"),
    ],
)
def test_a_violation_is_named(break_it: Callable[[Validators], None], complaint: str) -> None:
    lab = ValidatorLab()
    lab.validator(1)
    assert check(lab.contract) == []
    break_it(lab.contract)
    assert any(complaint in problem for problem in check(lab.contract))


def test_what_was_counted_can_be_read_while_the_epoch_runs() -> None:
    lab = ValidatorLab()
    for _ in range(5):
        lab.block(absent=[101])
    counts = {item.consensus: item for item in lab.contract.present_work(lab.world.world.context(account("x"))).counts}
    assert (counts[consensus(101)].signed, counts[consensus(101)].missed) == (0, 4)
    assert counts[consensus(100)].signed == 4
    assert sum(item.proposed for item in counts.values()) == 5


def test_votes_without_a_proposer_are_counted() -> None:
    lab = ValidatorLab()
    info = lab.engine.info()._replace(proposer=b"")
    lab.world.block(1, info)
    assert all(item.proposed == 0 for item in lab.contract.state.tally.get().counts)
