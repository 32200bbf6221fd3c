"""What every adapter of the runtime port promises about networks and volumes."""

import pytest

from flux.runtime.errors import InUse, NameConflict, RequestRefused, StartFailed
from flux.runtime.types import VolumeMount
from support.runtime_lab import FAIL, SERVE, Lab


async def test_a_network_is_made_once(lab: Lab) -> None:
    for _ in range(2):
        await lab.runtime.ensure_network(lab.name("net"), lab.labels)
    found = await lab.runtime.list_networks(lab.labels)
    assert [(view.name, view.labels) for view in found] == [(lab.name("net"), lab.labels)]


async def test_a_network_of_the_same_name_with_other_labels_is_a_conflict(lab: Lab) -> None:
    await lab.runtime.ensure_network(lab.name("net"), lab.labels)
    with pytest.raises(NameConflict):
        await lab.runtime.ensure_network(lab.name("net"), {**lab.labels, "flux.lease": "2"})


async def test_a_network_in_use_stays(lab: Lab) -> None:
    container = await lab.run(SERVE)
    with pytest.raises(InUse) as raised:
        await lab.runtime.remove_network(lab.name("net"))
    assert raised.value.retry
    await lab.runtime.remove(container, force=True)
    await lab.runtime.remove_network(lab.name("net"))
    await lab.runtime.remove_network(lab.name("net"))
    assert await lab.runtime.list_networks(lab.labels) == []


async def test_a_container_whose_network_is_gone_does_not_start(lab: Lab) -> None:
    container = await lab.create(lab.spec())
    await lab.runtime.remove_network(lab.name("net"))
    with pytest.raises(StartFailed):
        await lab.runtime.start(container)


async def test_networks_with_similar_names_are_told_apart(lab: Lab) -> None:
    for name in ("net", "net-2", "my-net"):
        await lab.runtime.ensure_network(lab.name(name), lab.labels)
    await lab.runtime.remove_network(lab.name("net"))
    names = [view.name for view in await lab.runtime.list_networks(lab.labels)]
    assert names == [lab.name("my-net"), lab.name("net-2")]


async def test_a_volume_is_made_once_and_keeps_its_size(lab: Lab) -> None:
    made = await lab.runtime.ensure_volume(lab.name("data"), lab.labels, 64)
    again = await lab.runtime.ensure_volume(lab.name("data"), lab.labels, 64)
    assert made == again
    assert (made.name, made.labels, made.size_mib) == (lab.name("data"), lab.labels, 64)
    assert await lab.runtime.list_volumes(lab.labels) == [made]


async def test_a_volume_says_that_its_size_is_enforced(lab: Lab) -> None:
    assert await lab.runtime.volume_limits() == ""
    assert (await lab.runtime.ensure_volume(lab.name("data"), lab.labels, 64)).limited


async def test_a_volume_grows_and_is_never_made_smaller(lab: Lab) -> None:
    for wanted, found in ((16, 16), (64, 64), (32, 64)):
        assert (await lab.runtime.ensure_volume(lab.name("data"), lab.labels, wanted)).size_mib == found
    (listed,) = await lab.runtime.list_volumes(lab.labels)
    assert listed.size_mib == 64


async def test_a_volume_of_the_same_name_with_other_labels_is_a_conflict(lab: Lab) -> None:
    await lab.runtime.ensure_volume(lab.name("data"), lab.labels, 64)
    with pytest.raises(NameConflict):
        await lab.runtime.ensure_volume(lab.name("data"), {**lab.labels, "flux.lease": "2"}, 64)


async def test_a_volume_stays_while_a_container_mounts_it(lab: Lab) -> None:
    await lab.runtime.ensure_volume(lab.name("data"), lab.labels, 64)
    container = await lab.create(lab.spec(FAIL, mounts=(VolumeMount(lab.name("data"), "/data"),)))
    with pytest.raises(InUse):
        await lab.runtime.remove_volume(lab.name("data"))
    await lab.runtime.remove(container)
    await lab.runtime.remove_volume(lab.name("data"))
    await lab.runtime.remove_volume(lab.name("data"))
    assert await lab.runtime.list_volumes(lab.labels) == []


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a?b", "x" * 200])
async def test_what_is_not_a_name_is_refused(lab: Lab, name: str) -> None:
    with pytest.raises(RequestRefused):
        await lab.runtime.ensure_network(name, lab.labels)
    with pytest.raises(RequestRefused):
        await lab.runtime.ensure_volume(name, lab.labels, 1)
    with pytest.raises(RequestRefused):
        await lab.runtime.remove_network(name)
    with pytest.raises(RequestRefused):
        await lab.runtime.remove_volume(name)
