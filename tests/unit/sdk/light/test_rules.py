"""What a light client believes, and everything that it must not believe."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux.sdk.light.encoding import validators_hash
from flux.sdk.light.errors import (
    BadHeader,
    BadSignature,
    Expired,
    FromTheFuture,
    NotEnoughPower,
    NotEnoughTrust,
    VerificationError,
    WrongChain,
)
from flux.sdk.light.follow import MAX_FETCHED, follow
from flux.sdk.light.rules import MAX_TOTAL_POWER, Policy, verify
from flux.sdk.light.types import SECOND, Commit, CommitSignature, Flag, Header, LightBlock
from support.light_chain import CHAIN, GENESIS_TIME, LightChain, public_key, signed, validator_set

POLICY = Policy(trusting_period=1_000 * SECOND)


def now_at(height: int) -> int:
    return GENESIS_TIME + height * SECOND + 1


def check(trusted: LightBlock, new: LightBlock, policy: Policy = POLICY) -> None:
    verify(trusted, new, now_at(new.height), policy)


@pytest.mark.parametrize("height", [2, 3, 100])
def test_blocks_of_the_same_validators_are_believed_at_any_distance(height: int) -> None:
    chain = LightChain()
    check(chain.block(1), chain.block(height))


def test_more_than_two_thirds_must_have_signed() -> None:
    chain = LightChain({0: 10, 1: 10, 2: 10})
    check(chain.block(1), chain.block(2, [0, 1, 2]))
    with pytest.raises(NotEnoughPower) as caught:
        check(chain.block(1), chain.block(2, [0, 1]))
    assert caught.value.signed == 20
    with pytest.raises(NotEnoughPower):
        check(chain.block(1), chain.block(9, [0, 1]))


def test_power_counts_and_not_heads() -> None:
    chain = LightChain({0: 70, 1: 10, 2: 10, 3: 10})
    check(chain.block(1), chain.block(2, [0]))
    with pytest.raises(NotEnoughPower):
        check(chain.block(1), chain.block(2, [1, 2, 3]))


def test_the_next_block_has_the_validators_that_were_announced() -> None:
    chain = LightChain()
    trusted = chain.block(4)
    chain.change(5, {7: 10})
    with pytest.raises(BadHeader, match="other validators"):
        check(trusted, chain.block(5))
    check(chain.block(4), chain.block(5))


def test_a_jump_needs_more_than_a_third_of_the_trusted_power() -> None:
    chain = LightChain({0: 10, 1: 10, 2: 10})
    trusted = chain.block(1)
    chain.change(5, {0: 10, 1: 10, 7: 10})
    check(trusted, chain.block(9))
    chain.change(5, {0: 10, 7: 10, 8: 10})
    with pytest.raises(NotEnoughTrust):
        check(trusted, chain.block(9))


def test_trusted_validators_who_did_not_sign_give_no_trust() -> None:
    chain = LightChain({0: 10, 1: 10, 2: 10})
    trusted = chain.block(1)
    chain.change(5, {0: 1, 1: 1, 7: 100})
    with pytest.raises(NotEnoughTrust):
        check(trusted, chain.block(9, [7]))


def test_what_is_too_old_is_no_longer_trusted() -> None:
    chain = LightChain()
    trusted, new = chain.block(1), chain.block(2)
    verify(trusted, new, trusted.header.time + POLICY.trusting_period - 1, POLICY)
    with pytest.raises(Expired, match="flux chain trust"):
        verify(trusted, new, trusted.header.time + POLICY.trusting_period, POLICY)


def test_a_header_ahead_of_the_clock_is_refused_beyond_the_drift() -> None:
    chain = LightChain()
    trusted, new = chain.block(1), chain.block(50)
    verify(trusted, new, new.header.time - POLICY.max_clock_drift + 1, POLICY)
    with pytest.raises(FromTheFuture):
        verify(trusted, new, new.header.time - POLICY.max_clock_drift, POLICY)


def test_only_later_blocks_can_be_verified() -> None:
    chain = LightChain()
    for height in (4, 5):
        with pytest.raises(BadHeader, match="not after"):
            verify(chain.block(5), chain.block(height), now_at(6), POLICY)


def test_time_must_go_on() -> None:
    chain = LightChain()
    header = replace(chain.header(3), time=chain.header(2).time)
    with pytest.raises(BadHeader, match="time of block 3 is not after"):
        verify(chain.block(2), signed(header, validator_set(chain.powers(3)), [0, 1, 2, 3]), now_at(9), POLICY)


def test_another_chain_is_refused_even_with_the_same_validators() -> None:
    with pytest.raises(WrongChain):
        check(LightChain().block(1), LightChain(chain_id="flux-1-other").block(2))


def test_signatures_for_another_chain_do_not_count() -> None:
    chain = LightChain()
    forged = signed(chain.header(2), validator_set(chain.powers(2)), [0, 1, 2, 3], chain_id="flux-1-other")
    with pytest.raises(BadSignature):
        check(chain.block(1), forged)


FIELDS = [name for name in Header.__slots__ if name not in ("height", "chain_id")]


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("height", [2, 9])
def test_a_header_with_one_field_forged_is_refused(name: str, height: int) -> None:
    chain = LightChain()
    block = chain.block(height)
    value = getattr(block.header, name)
    other = value + 1 if isinstance(value, int) else chain.header(77).last_block_id
    if isinstance(value, bytes):
        other = bytes(len(value))
    with pytest.raises(BadHeader):
        check(chain.block(1), replace(block, header=replace(block.header, **{name: other})))


def _without_votes(block: LightBlock) -> LightBlock:
    return replace(block, commit=replace(block.commit, signatures=()))


def _moved(block: LightBlock) -> LightBlock:
    votes = block.commit.signatures
    return replace(block, commit=replace(block.commit, signatures=(votes[1], votes[0], *votes[2:])))


def _one_signs_for_all(block: LightBlock) -> LightBlock:
    return replace(block, commit=replace(block.commit, signatures=(block.commit.signatures[0],) * 4))


def _other_round(block: LightBlock) -> LightBlock:
    return replace(block, commit=replace(block.commit, round=1))


def _other_times(block: LightBlock) -> LightBlock:
    votes = tuple(replace(vote, time=vote.time + 1) for vote in block.commit.signatures)
    return replace(block, commit=replace(block.commit, signatures=votes))


def _nil_votes(block: LightBlock) -> LightBlock:
    votes = tuple(replace(vote, flag=Flag.NIL) for vote in block.commit.signatures)
    return replace(block, commit=replace(block.commit, signatures=votes))


def _richer_validator(block: LightBlock) -> LightBlock:
    first, *rest = block.validators
    return replace(block, validators=(replace(first, power=1_000), *rest))


def _stranger(block: LightBlock) -> LightBlock:
    return replace(block, validators=(replace(block.validators[0], public_key=public_key(9)), *block.validators[1:]))


def _fewer(block: LightBlock) -> LightBlock:
    return replace(block, validators=block.validators[:3])


def _other_order(block: LightBlock) -> LightBlock:
    return replace(block, validators=block.validators[::-1])


def _no_parts(block: LightBlock) -> LightBlock:
    return replace(block, commit=replace(block.commit, block_id=replace(block.commit.block_id, parts_hash=b"")))


FORGERIES: list[Callable[[LightBlock], LightBlock]] = [
    _without_votes,
    _moved,
    _one_signs_for_all,
    _other_round,
    _other_times,
    _nil_votes,
    _richer_validator,
    _stranger,
    _fewer,
    _other_order,
    _no_parts,
]


@pytest.mark.parametrize("forge", FORGERIES)
@pytest.mark.parametrize("height", [2, 9])
def test_forged_commits_and_validators_are_refused(forge: Callable[[LightBlock], LightBlock], height: int) -> None:
    chain = LightChain()
    with pytest.raises((BadHeader, BadSignature, NotEnoughPower, NotEnoughTrust)):
        check(chain.block(1), forge(chain.block(height)))


def test_a_commit_of_another_height_or_block_is_refused() -> None:
    chain = LightChain()
    for other in (chain.block(3).commit, replace(chain.block(3).commit, height=2)):
        with pytest.raises(BadHeader, match="not this header"):
            check(chain.block(1), replace(chain.block(2), commit=other))


def test_a_validator_twice_in_a_set_is_refused() -> None:
    chain = LightChain({0: 10})
    header = chain.header(2)
    twice = validator_set({0: 10}) * 2
    block = signed(replace(header, validators_hash=validators_hash(twice)), twice, [0])
    with pytest.raises(BadHeader, match="twice"):
        check(chain.block(1), block)


def test_power_beyond_the_limit_is_refused() -> None:
    chain = LightChain({0: MAX_TOTAL_POWER, 1: 1})
    with pytest.raises(BadHeader, match="beyond"):
        check(chain.block(1), chain.block(2))


def test_an_unknown_protocol_is_refused() -> None:
    chain = LightChain()
    header = replace(chain.header(2), version_block=12)
    with pytest.raises(BadHeader, match="protocol 12"):
        check(chain.block(1), signed(header, validator_set(chain.powers(2)), [0, 1, 2, 3]))


def test_one_vote_does_not_count_twice_for_trust() -> None:
    chain = LightChain({0: 10, 1: 10, 2: 10})
    trusted = chain.block(1)
    chain.change(5, {0: 10, 7: 10, 8: 10, 9: 10})
    block = chain.block(9)
    place = next(i for i, vote in enumerate(block.commit.signatures) if vote.address == trusted_address(trusted, 0))
    votes = list(block.commit.signatures)
    votes[(place + 1) % 4] = votes[place]
    with pytest.raises(BadSignature):
        check(trusted, replace(block, commit=replace(block.commit, signatures=tuple(votes))))


def trusted_address(block: LightBlock, number: int) -> bytes:
    return next(item.address for item in block.validators if item.public_key == public_key(number))


async def test_changes_of_validators_are_bridged_with_few_blocks_in_between() -> None:
    chain = LightChain(dict.fromkeys(range(4), 10))
    for step in range(1, 13):
        chain.change(step * 20, dict.fromkeys(range(step, step + 4), 10))
    assert await follow(chain.block(1), chain.block(260), chain.fetch, now_at(260), POLICY) == chain.block(260)
    assert 0 < len(chain.asked) < 30


async def test_even_a_whole_new_set_is_bridged_by_the_block_that_announces_it() -> None:
    chain = LightChain({0: 10, 1: 10})
    chain.change(33, {5: 10, 6: 10})
    assert (await follow(chain.block(1), chain.block(64), chain.fetch, now_at(64), POLICY)).height == 64
    assert {32, 33} <= set(chain.asked)


async def test_a_lie_on_the_way_ends_the_walk() -> None:
    chain, liar = LightChain({0: 10, 1: 10}), LightChain({0: 10, 1: 10})
    chain.change(33, {5: 10, 6: 10})
    liar.change(33, {7: 10, 8: 10})
    with pytest.raises(VerificationError):
        await follow(chain.block(1), liar.block(64), chain.fetch, now_at(64), POLICY)


async def test_a_forged_chain_of_new_validators_is_never_reached() -> None:
    """The endpoint makes up a set at 10 that the real validators never announced."""
    honest, forged = LightChain({0: 10, 1: 10}), LightChain({0: 10, 1: 10})
    forged.change(10, {5: 10, 6: 10})
    forged_target = forged.block(50)

    async def fetch(height: int) -> LightBlock:
        return honest.block(height) if height < 10 else forged.block(height)

    with pytest.raises(VerificationError):
        await follow(honest.block(1), forged_target, fetch, now_at(50), POLICY)


async def test_an_endpoint_that_answers_with_another_height_is_refused() -> None:
    chain = LightChain({0: 10})
    chain.change(5, {1: 10})

    async def fetch(height: int) -> LightBlock:
        return chain.block(height + 1)

    with pytest.raises(BadHeader, match="asked for block"):
        await follow(chain.block(1), chain.block(40), fetch, now_at(40), POLICY)


async def test_a_walk_is_bounded() -> None:
    chain = LightChain({0: 10})
    for height in range(2, 3 * MAX_FETCHED):
        chain.change(height, {height: 10})
    with pytest.raises(NotEnoughTrust):
        await follow(chain.block(1), chain.block(3 * MAX_FETCHED - 2), chain.fetch, now_at(3 * MAX_FETCHED), POLICY)
    assert len(chain.asked) == MAX_FETCHED


async def test_the_trusted_block_itself_needs_no_walk() -> None:
    chain = LightChain()
    assert await follow(chain.block(3), chain.block(3), chain.fetch, now_at(3), POLICY) == chain.block(3)
    assert chain.asked == []


@settings(max_examples=60, deadline=None)
@given(
    before=st.dictionaries(st.integers(0, 7), st.integers(1, 50), min_size=1, max_size=6),
    after=st.dictionaries(st.integers(0, 7), st.integers(1, 50), min_size=1, max_size=6),
    signers=st.sets(st.integers(0, 7)),
)
def test_a_jump_is_believed_exactly_when_the_two_sums_say_so(
    before: dict[int, int], after: dict[int, int], signers: set[int]
) -> None:
    chain = LightChain(before)
    trusted = chain.block(1)
    chain.change(5, after)
    new = chain.block(9, sorted(signers & set(after)))
    own = sum(after[number] for number in signers if number in after)
    known = sum(before[number] for number in signers if number in after and number in before)
    expected: type[VerificationError] | None = None
    if own <= sum(after.values()) * 2 // 3:
        expected = NotEnoughPower
    if known <= sum(before.values()) // 3:
        expected = NotEnoughTrust
    if expected is None:
        check(trusted, new)
    else:
        with pytest.raises(expected):
            check(trusted, new)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_no_bit_of_a_signed_block_can_be_changed(data: st.DataObject) -> None:
    """Any change of header, validators or counted votes is refused."""
    chain = LightChain({0: 40, 1: 35, 2: 25})
    block = chain.block(2, [0, 1])
    place = data.draw(st.sampled_from(range(2)))
    vote = block.commit.signatures[place]
    name = data.draw(st.sampled_from(["address", "signature", "time"]))
    value = getattr(vote, name)
    if isinstance(value, int):
        changed: object = value + data.draw(st.integers(1, 10**12))
    else:
        position = data.draw(st.integers(0, len(value) - 1))
        flipped = bytearray(value)
        flipped[position] ^= data.draw(st.integers(1, 255))
        changed = bytes(flipped)
    votes: list[CommitSignature] = list(block.commit.signatures)
    votes[place] = replace(vote, **{name: changed})  # type: ignore[arg-type]
    forged: Commit = replace(block.commit, signatures=tuple(votes))
    with pytest.raises((BadSignature, NotEnoughPower)):
        check(chain.block(1), replace(block, commit=forged))


def test_the_chain_of_the_tests_is_named_as_ours_are() -> None:
    assert LightChain().block(1).header.chain_id == CHAIN
