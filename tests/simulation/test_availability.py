"""A small cloud through failures, on the real contracts and the agent's plan, as `make sim` plays it at scale."""

import asyncio

import pytest
from tools.simulation.availability.scenario import Phase, Scenario, Setting

from flux.contracts.market.rollout_types import RolloutState


@pytest.fixture(scope="module")
def played() -> Scenario:
    """Every invariant that a block can break is checked after it, all of them every hundred blocks."""
    setting = Setting(nodes=160, apps=220, flapping=0.05, flapping_seconds=150, bad_updates=24, seed=2, check_every=100)
    scenario = Scenario(setting, lambda _: None)
    asyncio.run(scenario.run())
    return scenario


def phase(scenario: Scenario, name: str) -> Phase:
    return next(item for item in scenario.phases if item.name == name)


def test_every_instance_is_served_again_within_its_bound_after_each_failure(played: Scenario) -> None:
    bounds = {
        "apps arrive": 15,
        "nodes flap": 30,
        "a country is lost": 60,
        "a country returns": 5,
        "a third of the fleet is lost": 480,
        "a third of the fleet returns": 5,
        "a bad image is rolled out": 60,
        "liars refuse a good image": 60,
    }
    found = {item.name: item.to_full for item in played.phases}
    assert found.keys() == bounds.keys()
    assert all(seconds is not None and seconds <= bounds[name] for name, seconds in found.items()), found


def test_no_app_is_stranded_and_no_container_runs_without_a_lease(played: Scenario) -> None:
    assert played.cloud.serving.missing == 0
    assert played.stray_containers() == 0


def test_failures_were_felt_and_moved_no_instance_more_than_they_had_to(played: Scenario) -> None:
    lost, flapped = phase(played, "a third of the fleet is lost"), phase(played, "nodes flap")
    assert lost.most_missing > 0
    assert lost.moved == lost.most_missing
    assert lost.most_moves == 1
    assert flapped.moved > 0
    assert flapped.most_moves <= 3
    assert phase(played, "a third of the fleet returns").moved == 0, "who comes back takes nothing from those who serve"


def test_losing_more_than_a_third_at_once_is_braked(played: Scenario) -> None:
    part = len(played.cloud.machines_in(played.setting.largest)) / played.setting.nodes
    assert part > 1 / 3
    assert phase(played, "a third of the fleet is lost").braked
    assert not phase(played, "a country is lost").braked


def test_a_bad_image_takes_no_app_with_it(played: Scenario) -> None:
    update = phase(played, "a bad image is rolled out")
    assert update.most_missing < sum(instance[0] <= 24 for instance in played.cloud.serving.wanted)
    assert update.most_moves <= 1


def test_nodes_of_one_operator_cannot_turn_a_good_update_back(played: Scenario) -> None:
    ended = played.doubted_updates
    assert len(ended) >= 3
    assert {rollout.state for rollout in ended.values()} == {RolloutState.DONE}, ended
    assert all(rollout.failures for rollout in ended.values()), "each was refused"
