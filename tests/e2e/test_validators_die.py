"""Validators that are killed at any moment: nothing that a client saw is lost, nothing happens twice, one history."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from support.validator_processes import Network, Traffic, network
from support.waiting import holds

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def four(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Network]:
    """Four validators that all these tests share; each test leaves all of them running."""
    async with network(tmp_path_factory.mktemp("validators")) as made:
        yield made


async def test_one_of_four_may_die_and_two_stop_the_chain_until_they_are_back(four: Network) -> None:
    one, two, *others = four.validators
    one.kill()
    await four.until_higher(3, [two, *others])
    two.kill()
    # What was on its way may still come; then nothing does.
    stuck = max(await four.heights()) + 1

    async def is_stuck() -> bool:
        return max(await four.heights()) <= stuck

    await holds(is_stuck, 3)
    one.start()
    await four.until_height(stuck + 1, [one, *others])
    two.start()
    await four.until_higher()
    assert await four.check_one_history() > stuck


@pytest.mark.parametrize("kills", [4, pytest.param(30, marks=pytest.mark.slow)])
async def test_what_clients_saw_is_there_after_kills_at_random_moments_and_nothing_was_done_twice(
    four: Network, kills: int
) -> None:
    draw = random.Random(kills)
    traffic = Traffic(four)
    ways = ["application", "comet", "both", "application"]
    async with traffic.running():
        for turn in range(kills):
            await asyncio.sleep(draw.uniform(0, 1.5))  # the moment is what is drawn
            victim = draw.choice(four.validators)
            match ways[turn % len(ways)]:
                case "application":
                    victim.kill_application()
                    victim.start()
                case "comet":
                    victim.kill_comet()
                case _:
                    victim.kill()
                    victim.start()
            # Back among the others before the next one dies: three of four are needed.
            await four.until_higher()
    await four.until_higher(1)
    await traffic.check_nothing_was_lost_or_done_twice()
    await four.check_one_history()


async def test_a_node_that_lost_its_chain_plays_everything_back_to_the_same_roots(four: Network) -> None:
    """Its keys and what it signed last stay; the application's database goes, as when a disk is restored empty."""
    victim = four.validators[3]
    await victim.stop()
    for file in (victim.place.home / "data").iterdir():
        file.unlink()
    victim.start()
    await four.until_higher()
    await four.check_one_history()
