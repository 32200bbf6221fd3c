"""The parameters contract: who may change what, and what is refused."""

import pytest

from flux.contracts.addresses import GOVERNOR
from flux.contracts.parameters import invariants
from flux.contracts.parameters.state import GENESIS_DIGEST
from flux.contracts.parameters.types import (
    InvalidUpgradeName,
    NoSuchUpgrade,
    Override,
    Parameter,
    ParameterChanged,
    ParameterOutOfBounds,
    UnknownParameter,
    Upgrade,
    UpgradeCancelled,
    UpgradeOutOfOrder,
    UpgradeScheduled,
    UpgradeTooSoon,
)
from flux.kernel.errors import Unauthorized
from flux.primitives.types import U32, U64, U256, ChainTime, Hash
from support.contract_lab import account
from support.protocol_world import ProtocolWorld

ANYBODY = account("anybody")


@pytest.fixture
def world() -> ProtocolWorld:
    return ProtocolWorld()


def later(world: ProtocolWorld, seconds: int) -> ChainTime:
    return ChainTime(U64(world.world.block.now + seconds))


def test_only_the_governor_changes_anything(world: ProtocolWorld) -> None:
    for method, arguments in (
        (world.parameters.set_parameter, ("market.exclusion", U256(90))),
        (world.parameters.schedule_upgrade, ("edge", later(world, 1_000))),
        (world.parameters.cancel_upgrade, ("edge",)),
    ):
        with pytest.raises(Unauthorized):
            world.send(ANYBODY, method, *arguments)


def test_a_change_applies_from_the_next_block_on(world: ProtocolWorld) -> None:
    before = world.params.market.exclusion
    world.send(GOVERNOR, world.parameters.set_parameter, "market.exclusion", U256(90))
    assert world.world.emitted(world.parameters, ParameterChanged("market.exclusion", U256(90), U256(before)))
    assert world.machine.contracts[3].params.exclusion == before  # type: ignore[attr-defined]
    world.block()
    assert world.params.market.exclusion == world.market.params.exclusion == 90
    context = world.world.context(ANYBODY)
    assert world.parameters.parameter(context, "market.exclusion") == Parameter(
        "market.exclusion", U256(90), U256(60), U256(30 * 86_400)
    )
    assert world.parameters.digest(context) != GENESIS_DIGEST
    assert "market.exclusion" in [item.path for item in world.parameters.parameters(context)]


def test_a_change_to_zero_is_a_change(world: ProtocolWorld) -> None:
    world.send(GOVERNOR, world.parameters.set_parameter, "escrow.fee_basis_points", U256(0))
    world.block()
    assert world.params.escrow.fee_basis_points == 0


def test_refused_changes_leave_nothing(world: ProtocolWorld) -> None:
    with pytest.raises(UnknownParameter):
        world.send(GOVERNOR, world.parameters.set_parameter, "market.nothing", U256(1))
    with pytest.raises(ParameterOutOfBounds):
        world.send(GOVERNOR, world.parameters.set_parameter, "market.exclusion", U256(1))
    assert world.parameters.digest(world.world.context(ANYBODY)) == GENESIS_DIGEST


def test_leases_go_on_when_every_deadline_changes_under_them(world: ProtocolWorld) -> None:
    world.fleet(3)
    app = world.deploy(instances=3)
    world.block()
    for path, value in (("market.start_deadline", 30), ("probes.epoch", 40), ("market.max_leases_per_node", 300)):
        world.send(GOVERNOR, world.parameters.set_parameter, path, U256(value))
    world.block()
    assert len(world.run_all(app)) == 3
    for _ in range(5):
        world.block(seconds=29)
    assert len(world.open(app)) == 3


def test_upgrades_are_announced_in_order(world: ProtocolWorld) -> None:
    send, parameters = world.send, world.parameters
    notice = world.params.parameters.upgrade_notice
    with pytest.raises(UpgradeTooSoon):
        send(GOVERNOR, parameters.schedule_upgrade, "edge", later(world, notice - 1))
    with pytest.raises(UpgradeTooSoon):
        send(GOVERNOR, parameters.schedule_upgrade, "edge", ChainTime(U64(2**63)))
    for name in ("", "Edge", "a b", "x" * 33, "é"):
        with pytest.raises(InvalidUpgradeName):
            send(GOVERNOR, parameters.schedule_upgrade, name, later(world, notice))
    send(GOVERNOR, parameters.schedule_upgrade, "edge", later(world, notice + 5))
    assert world.world.emitted(parameters, UpgradeScheduled("edge", later(world, notice + 5)))
    with pytest.raises(InvalidUpgradeName):
        send(GOVERNOR, parameters.schedule_upgrade, "edge", later(world, notice + 9))
    with pytest.raises(UpgradeOutOfOrder):
        send(GOVERNOR, parameters.schedule_upgrade, "drive", later(world, notice + 5))
    with pytest.raises(NoSuchUpgrade):
        send(GOVERNOR, parameters.cancel_upgrade, "drive")
    send(GOVERNOR, parameters.cancel_upgrade, "edge")
    assert world.world.emitted(parameters, UpgradeCancelled("edge"))
    assert parameters.upgrades(world.world.context(ANYBODY)) == []
    world.block()


def test_an_upgrade_that_came_cannot_be_cancelled(world: ProtocolWorld) -> None:
    since = later(world, 60)
    world.send(GOVERNOR, world.parameters.schedule_upgrade, "edge", since)
    world.world.advance(60)
    with pytest.raises(NoSuchUpgrade):
        world.send(GOVERNOR, world.parameters.cancel_upgrade, "edge")


def test_the_invariants_notice_changes_made_past_the_contract(world: ProtocolWorld) -> None:
    state = world.parameters.state
    state.overrides.set("market.exclusion", Override(U256(1)))
    state.upgrades.set(U32(2), Upgrade("edge", later(world, 5)))
    state.upgrades.set(U32(3), Upgrade("drive", later(world, 5)))
    state.digest.set(Hash(b"\x01" * 32))
    world.fund("someone")
    world.world.transfer(account("someone"), world.parameters.address, U256(1))  # type: ignore[arg-type]
    found = " ".join(invariants.check(world.parameters))
    for words in ("digest", "is refused is in force", "numbered [2, 3]", "order of their times", "holds 1 wei"):
        assert words in found
