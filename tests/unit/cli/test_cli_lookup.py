"""Which instance of an app a command means."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from flux.cli import lookup
from flux.cli.errors import CliError, UsageError
from flux.contracts.market.types import Lease, LeaseState, Ordinal
from flux.primitives.types import U16
from flux.sdk.deployment import Progress
from support.leases import make_lease

APP: Any = SimpleNamespace(id=1, name="shop")


def runs(monkeypatch: pytest.MonkeyPatch, *ordinals: int) -> list[Lease]:
    """Leases that run, one for each of these instances."""
    leases = [
        msgspec.structs.replace(make_lease(number, LeaseState.RUNNING), ordinal=Ordinal(U16(ordinal)))
        for number, ordinal in enumerate(ordinals, 1)
    ]

    async def progress(*_: object) -> Progress:
        return Progress(tuple(leases), ())

    monkeypatch.setattr(lookup, "progress", progress)
    return leases


async def find(wanted: int | None, *, any_will_do: bool = False) -> Lease:
    client: Any = None
    return await lookup.running_instance(client, APP, wanted, any_will_do=any_will_do)


async def test_the_lease_that_takes_the_place_of_another_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    _, old, new = runs(monkeypatch, 1, 0, 0)
    assert await find(0) == new != old
    assert await find(None, any_will_do=True) == new


async def test_one_of_several_is_chosen_only_where_any_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    second, first = runs(monkeypatch, 1, 0)
    with pytest.raises(UsageError, match="runs 2 instances"):
        await find(None)
    assert await find(None, any_will_do=True) == first
    assert await find(1, any_will_do=True) == second
    with pytest.raises(CliError, match="no instance 2 of shop runs"):
        await find(2, any_will_do=True)


async def test_the_only_one_needs_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    (only,) = runs(monkeypatch, 3)
    assert await find(None) == only
    runs(monkeypatch)
    with pytest.raises(CliError, match="no instance of shop runs"):
        await find(None)
