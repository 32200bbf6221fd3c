"""Powers, their cap, bounded change, seeds: for any numbers."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flux.contracts.validators import rules
from flux.primitives.types import Address, ChainTime, ConsensusAddress, Hash, Seconds, Timestamp, Wei

powers = some.lists(some.integers(1, 40_000_000), min_size=1, max_size=40)


def address(number: int) -> ConsensusAddress:
    return ConsensusAddress(Address(number.to_bytes(20, "big")))


sets = some.dictionaries(some.integers(0, 30).map(address), some.integers(1, 10**6), max_size=20)


def test_a_consensus_address_is_cometbfts() -> None:
    # The first 20 bytes of SHA-256 of the key, CometBFT specification, "Encoding": Address.
    key = Hash(bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
    assert rules.consensus_address(key).hex() == "21fe31dfa154a261626bf854046fd2271b7bed4b"


@given(powers)
def test_nobody_has_more_than_a_tenth_where_ten_share(values: list[int]) -> None:
    values.sort(reverse=True)
    most = rules.cap(values)
    capped = [min(value, most) for value in values]
    if len(values) < rules.CAPPED_FROM:
        assert capped == values
        return
    total = sum(capped)
    assert all(10 * value <= total for value in capped)
    assert most >= 1


@given(powers)
def test_the_cap_is_the_highest_possible(values: list[int]) -> None:
    values.sort(reverse=True)
    most = rules.cap(values)
    if len(values) < rules.CAPPED_FROM or most >= values[0]:
        return
    higher = [min(value, most + 1) for value in values]
    assert 10 * max(higher) > sum(higher)


def test_no_cap_of_nothing() -> None:
    assert rules.cap([]) == 0
    assert rules.choose({}, 10) == {}


def test_the_seats_go_to_those_with_most_power_and_ties_to_the_lower_address() -> None:
    candidates = {address(1): 5, address(2): 7, address(3): 5}
    assert rules.choose(candidates, 2) == {address(2): 7, address(1): 5}


@given(sets, sets)
def test_an_epoch_changes_less_than_a_third_and_never_empties_the_set(
    seats: dict[ConsensusAddress, int], target: dict[ConsensusAddress, int]
) -> None:
    total = sum(seats.values())
    limit = rules.change_limit(total)
    after, left = rules.step(seats, target, limit)
    if not seats:
        assert after == target
        return
    changed = sum(abs(after.get(key, 0) - seats.get(key, 0)) for key in {*after, *seats})
    assert 3 * changed < total or changed == 0
    assert left == limit - changed
    assert after
    assert all(power > 0 for power in after.values())
    overlap = sum(min(after.get(key, 0), power) for key, power in seats.items())
    assert Fraction(overlap, total) > Fraction(2, 3) or changed == 0
    assert Fraction(overlap, sum(after.values())) > Fraction(2, 3)


@given(sets.filter(lambda seats: sum(seats.values()) >= 4), sets.filter(bool))
def test_the_target_is_reached_after_some_epochs(
    seats: dict[ConsensusAddress, int], target: dict[ConsensusAddress, int]
) -> None:
    target = {key: power + 10 for key, power in target.items()}
    current = seats
    for _ in range(400):
        current, _ = rules.step(current, target, rules.change_limit(sum(current.values())))
        if current == target:
            break
    assert current == target


def test_who_must_leave_goes_before_others_fall_and_newcomers_get_half() -> None:
    seats = {address(1): 300, address(2): 600}
    after, left = rules.step(seats, {address(1): 100, address(3): 900}, 299)
    assert after == {address(1): 300, address(2): 451, address(3): 150}
    assert left == 0
    assert rules.step(seats, {address(2): 600}, 299) == ({address(1): 1, address(2): 600}, 0)
    assert rules.step(seats, {address(2): 600, address(3): 9}, 309) == ({address(2): 600, address(3): 9}, 0)


def test_an_empty_target_changes_nothing() -> None:
    seats = {address(1): 5}
    assert rules.step(seats, {}, 9) == (seats, 9)


@pytest.mark.parametrize(("total", "limit"), [(0, 0), (1, 0), (3, 0), (4, 1), (300, 99), (301, 100)])
def test_the_limit_is_below_a_third(total: int, limit: int) -> None:
    assert rules.change_limit(total) == limit


def test_power_is_whole_flux() -> None:
    assert rules.power_of(Wei(1_999_999_999_999_999_999)) == 1  # type: ignore[arg-type]


def test_evidence_is_dated_in_protocol_time() -> None:
    assert rules.protocol_time(Timestamp(900), Timestamp(1000), ChainTime(700)) == 600  # type: ignore[arg-type]
    assert rules.protocol_time(Timestamp(100), Timestamp(1000), ChainTime(700)) == 0  # type: ignore[arg-type]
    assert not rules.is_too_old(Timestamp(70), Timestamp(100), Seconds(30))  # type: ignore[arg-type]
    assert rules.is_too_old(Timestamp(69), Timestamp(100), Seconds(30))  # type: ignore[arg-type]


@given(some.permutations([Hash(bytes([number]) * 32) for number in range(5)]))
def test_the_order_of_reveals_does_not_matter(preimages: list[Hash]) -> None:
    def mix(values: list[Hash]) -> Hash:
        value = Hash(bytes(32))
        for item in values:
            value = rules.mixed(value, item)
        return value

    assert mix(preimages) == mix(sorted(preimages))
    assert mix(preimages) != mix(preimages[1:])


def test_each_epoch_has_a_seed_of_its_own() -> None:
    seed, other = Hash(b"a" * 32), Hash(b"b" * 32)
    assert len({rules.chained_seed(seed, other, number) for number in range(3)}) == 3
    assert len({rules.revealed_seed(seed, other, number) for number in range(3)}) == 3
    assert rules.revealed_seed(seed, other, 1) != rules.revealed_seed(seed, Hash(b"c" * 32), 1)
