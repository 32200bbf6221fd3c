"""A cloud of hosts under random faults, judged by a model: three minutes here, twenty in `make soak`, which also looks
for whatever grows where nothing fails.

`FLUX_SOAK_SEED` plays a run again, as far as the machine allows: the faults and their order are the same.
"""

import os
import random

import pytest
from tools.paths import STATE

from support.soak.play import play, work

pytestmark = [pytest.mark.e2e, pytest.mark.docker]
SHORT, LONG, WORKING = 180, 1200, 900


def chosen_seed() -> int:
    return int(os.environ.get("FLUX_SOAK_SEED") or random.SystemRandom().randrange(1_000_000))


async def test_a_cloud_survives_three_minutes_of_random_faults() -> None:
    story = await play(STATE / "soak", chosen_seed(), SHORT)
    assert story.broken == [], story.summary()
    assert story.played
    assert story.drains


@pytest.mark.slow
async def test_a_cloud_survives_twenty_minutes_of_random_faults() -> None:
    story = await play(STATE / "soak", chosen_seed(), LONG)
    assert story.broken == [], story.summary()
    assert story.played
    assert story.drains


@pytest.mark.slow
async def test_no_process_holds_more_and_more_while_instances_come_and_go() -> None:
    story = await work(STATE / "soak", WORKING)
    assert story.turns
    assert story.broken == [], story.summary()
