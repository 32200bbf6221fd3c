"""Apps are deployed, changed and removed by their owner; names, revisions and statuses follow."""

import pytest

from flux.contracts.apps.types import (
    AppDeployed,
    AppId,
    AppStatus,
    AppStatusChanged,
    AppUpdated,
    InvalidInstances,
    InvalidName,
    InvalidSpec,
    NameTaken,
    NotOwner,
    Revision,
    UnknownApp,
    UnknownRevision,
    WrongAppStatus,
    encode_spec,
)
from flux.contracts.escrow.types import DepositTooSmall
from flux.contracts.secrets.types import NoPrivateHalf, PrivateHalfPublished
from flux.kernel.context import SYSTEM_ADDRESS
from flux.primitives.keccak import keccak256
from flux.primitives.types import U8, U16, U32, U64, Address
from support.contract_lab import FLUX, Lab, account, component, spec

OWNER, STRANGER = account("owner"), account("stranger")
PUBLIC = encode_spec(spec())
PRIVATE = encode_spec(spec(private=True))
ONE = AppId(U64(1))


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    lab.fund(OWNER, 1000)
    lab.fund(STRANGER, 1000)
    lab.join("n")
    return lab


def status(lab: Lab, app: AppId = ONE) -> AppStatus:
    return lab.apps.app(lab.context(), app).status


def revision(number: int) -> Revision:
    return Revision(U32(number))


def update(lab: Lab, cpu: int, ciphertext: bytes = b"") -> Revision:
    data = encode_spec(spec(component(cpu_milli=cpu), private=bool(ciphertext)))
    return lab.send(OWNER, 0, lab.apps.update, ONE, U16(1), data, ciphertext)


def test_a_deployed_app_is_active_and_its_spec_is_on_chain(lab: Lab) -> None:
    assert lab.deploy(OWNER, 1000, instances=3) == 1
    app = lab.apps.app(lab.context(), ONE)
    assert (app.owner, app.name, app.status, app.revision, app.instances) == (OWNER, "shop", AppStatus.ACTIVE, 1, 3)
    assert app.created_at == lab.world.block.now
    assert lab.apps.spec(lab.context(), ONE, revision(1)) == PUBLIC
    assert app.spec_hash == keccak256(PUBLIC)
    assert lab.apps.app_spec(ONE, revision(1)) == spec()
    assert lab.world.emitted(lab.apps, AppDeployed(ONE, OWNER, "shop", U16(3)))
    assert ("app", 1) in lab.market.told
    lab.check()


def test_a_name_belongs_to_one_open_app(lab: Lab) -> None:
    lab.deploy(OWNER, 1000)
    with pytest.raises(NameTaken) as caught:
        lab.deploy(STRANGER, 1000)
    assert (caught.value.name, caught.value.app) == ("shop", 1)
    lab.send(OWNER, 0, lab.apps.remove, ONE)
    assert lab.apps.find(lab.context(), "shop") == 0
    assert lab.deploy(STRANGER, 1000) == 2
    assert lab.apps.find(lab.context(), "shop") == 2
    lab.check()


def test_what_is_refused_costs_nothing(lab: Lab) -> None:
    for error, name, instances, data, ciphertext, value in (
        (InvalidName, "Shop", 1, PUBLIC, b"", FLUX),
        (InvalidInstances, "shop", 0, PUBLIC, b"", FLUX),
        (InvalidSpec, "shop", 1, b"{}", b"", FLUX),
        (InvalidSpec, "shop", 1, PRIVATE, b"", FLUX),
        (InvalidSpec, "shop", 1, PUBLIC, b"x", FLUX),
        (DepositTooSmall, "shop", 1, PUBLIC, b"", 1),
    ):
        with pytest.raises(error):
            lab.send(OWNER, value, lab.apps.deploy, name, U16(instances), data, ciphertext)
    assert lab.world.balance(OWNER) == 1000 * FLUX
    assert lab.apps.apps(lab.context(), ONE, U16(10)) == []
    lab.check()


def test_only_the_owner_changes_an_app(lab: Lab) -> None:
    lab.deploy(OWNER, 1000)
    for attempt in (
        lambda: lab.send(STRANGER, 0, lab.apps.update, ONE, U16(1), PUBLIC, b""),
        lambda: lab.send(STRANGER, 0, lab.apps.scale, ONE, U16(2)),
        lambda: lab.send(STRANGER, 0, lab.apps.pause, ONE),
        lambda: lab.send(STRANGER, 0, lab.apps.resume, ONE),
        lambda: lab.send(STRANGER, 0, lab.apps.remove, ONE),
    ):
        with pytest.raises(NotOwner) as caught:
            attempt()
        assert (caught.value.owner, caught.value.caller) == (OWNER, STRANGER)
    with pytest.raises(UnknownApp):
        lab.send(OWNER, 0, lab.apps.pause, AppId(U64(2)))


def test_an_update_is_a_new_revision_and_the_market_replaces_the_old(lab: Lab) -> None:
    lab.deploy(OWNER, 1000)
    assert update(lab, 500) == 2
    app = lab.apps.app(lab.context(), ONE)
    assert app.revision == 2
    assert lab.apps.app_spec(ONE, revision(2)).components[0].cpu_milli == 500
    assert lab.apps.app_spec(ONE, revision(1)).components[0].cpu_milli == 1000
    assert [lease.revision for lease in lab.market.open_leases(1)] == [2]
    assert lab.world.emitted(lab.apps, AppUpdated(ONE, revision(2), U16(1)))
    lab.check()


def test_the_newest_ten_specs_are_kept_and_older_ones_with_their_ciphertexts_go(lab: Lab) -> None:
    lab.deploy(OWNER, 1000)
    update(lab, 500, b"secret")
    assert lab.secrets.ciphertext(lab.context(), ONE, revision(2)) == b"secret"
    for step in range(10):
        update(lab, 600 + step)
    assert lab.apps.app(lab.context(), ONE).revision == 12
    for gone in (1, 2):
        with pytest.raises(UnknownRevision):
            lab.apps.spec(lab.context(), ONE, revision(gone))
    with pytest.raises(NoPrivateHalf):
        lab.secrets.ciphertext(lab.context(), ONE, revision(2))
    assert lab.apps.app_spec(ONE, revision(3)).components[0].cpu_milli == 600
    lab.check()


def test_a_spec_that_a_lease_still_runs_is_kept_however_old(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.deploy(OWNER, 1000)
    monkeypatch.setattr(lab.market, "revisions_in_use", lambda ctx, app: [revision(1)])
    for step in range(12):
        update(lab, 600 + step)
    assert lab.apps.spec(lab.context(), ONE, revision(1)) == PUBLIC
    assert [item.revision for item in lab.apps.revisions(lab.context(), ONE)] == [1, *range(4, 14)]
    monkeypatch.undo()
    update(lab, 700)
    assert [key[1] for key, _ in lab.apps.state.specs.items()] == list(range(5, 15))


def test_scaling_changes_the_number_and_not_the_revision(lab: Lab) -> None:
    lab.join("m")
    lab.deploy(OWNER, 1000)
    lab.send(OWNER, 0, lab.apps.scale, ONE, U16(2))
    app = lab.apps.app(lab.context(), ONE)
    assert (app.instances, app.revision) == (2, 1)
    assert len(lab.market.open_leases(1)) == 2
    with pytest.raises(InvalidInstances):
        lab.send(OWNER, 0, lab.apps.scale, ONE, U16(0))
    lab.check()


def test_pause_and_resume(lab: Lab) -> None:
    lab.deploy(OWNER, 1000)
    with pytest.raises(WrongAppStatus):
        lab.send(OWNER, 0, lab.apps.resume, ONE)
    lab.send(OWNER, 0, lab.apps.pause, ONE)
    assert (status(lab), lab.market.open_leases(1)) == (AppStatus.PAUSED, [])
    assert lab.world.emitted(lab.apps, AppStatusChanged(ONE, U8(2)))
    with pytest.raises(WrongAppStatus):
        lab.send(OWNER, 0, lab.apps.pause, ONE)
    lab.send(OWNER, 0, lab.apps.resume, ONE)
    assert (status(lab), len(lab.market.open_leases(1))) == (AppStatus.ACTIVE, 1)
    lab.check()


def test_a_paused_app_may_be_changed_and_costs_are_checked_when_it_resumes(lab: Lab) -> None:
    lab.deploy(OWNER, 21)
    lab.send(OWNER, 0, lab.apps.pause, ONE)
    lab.send(OWNER, 0, lab.apps.scale, ONE, U16(50))
    assert lab.market.open_leases(1) == []
    lab.check()


def test_depletion_and_money_do_not_touch_what_the_owner_paused_or_removed(lab: Lab) -> None:
    lab.deploy(OWNER, 1000)
    system = lab.context(SYSTEM_ADDRESS)
    lab.apps.funded(system, ONE)
    assert status(lab) is AppStatus.ACTIVE
    lab.send(OWNER, 0, lab.apps.pause, ONE)
    lab.apps.depleted(system, ONE)
    assert status(lab) is AppStatus.PAUSED
    lab.send(OWNER, 0, lab.apps.resume, ONE)
    lab.apps.depleted(system, ONE)
    assert status(lab) is AppStatus.DEPLETED
    with pytest.raises(WrongAppStatus):
        lab.send(OWNER, 0, lab.apps.resume, ONE)
    lab.apps.funded(system, ONE)
    assert status(lab) is AppStatus.ACTIVE


def test_a_removed_app_is_a_record_and_nothing_else(lab: Lab) -> None:
    lab.deploy(OWNER, 1000)
    update(lab, 500, b"secret")
    lab.confirm_all(1)
    lab.send(OWNER, 0, lab.apps.remove, ONE)
    assert status(lab) is AppStatus.CLOSED
    assert lab.market.open_leases(1) == []
    assert list(lab.apps.state.specs.items()) == []
    assert list(lab.secrets.state.ciphertexts.items()) == []
    for attempt in (
        lambda: lab.send(OWNER, 0, lab.apps.remove, ONE),
        lambda: lab.send(OWNER, 0, lab.apps.update, ONE, U16(1), PUBLIC, b""),
        lambda: lab.send(OWNER, 0, lab.apps.scale, ONE, U16(1)),
    ):
        with pytest.raises(WrongAppStatus):
            attempt()
    lab.check()


def test_the_private_half_is_published_with_its_revision(lab: Lab) -> None:
    lab.send(OWNER, FLUX, lab.apps.deploy, "shop", U16(1), PRIVATE, b"ciphertext")
    assert lab.world.emitted(lab.secrets, PrivateHalfPublished(ONE, revision(1), keccak256(b"ciphertext")))


def test_apps_are_listed_in_pages_and_by_owner(lab: Lab) -> None:
    for number, owner in enumerate((OWNER, STRANGER, OWNER, OWNER)):
        lab.deploy(owner, 100, name=f"app-{number}")
    lab.send(OWNER, 0, lab.apps.remove, AppId(U64(3)))

    def page(start: int, limit: int) -> list[int]:
        return [app.id for app in lab.apps.apps(lab.context(), AppId(U64(start)), U16(limit))]

    def owned(owner: Address, start: int = 0, limit: int = 10) -> list[int]:
        return [app.id for app in lab.apps.apps_of(lab.context(), owner, AppId(U64(start)), U16(limit))]

    assert page(0, 10) == [1, 2, 3, 4]
    assert page(2, 2) == [2, 3]
    assert page(5, 10) == []
    assert owned(OWNER) == [1, 4]
    assert owned(OWNER, start=2) == [4]
    assert owned(OWNER, limit=1) == [1]
    assert owned(STRANGER) == [2]
    assert owned(account("nobody")) == []


def test_records_and_indices_that_contradict_each_other_are_noticed(lab: Lab) -> None:
    lab.deploy(OWNER, 1000)
    app = lab.apps.app(lab.context(), ONE)
    for spoiled, words in (
        (app.but(id=AppId(U64(2))), "stored under 1"),
        (app.but(status=AppStatus.CLOSED), "still has the specs"),
        (app.but(revision=revision(2)), "current spec"),
        (app.but(instances=U16(0)), "wants 0 instances"),
        (app.but(name="other"), "index of names"),
        (app.but(owner=STRANGER), "index of owners"),
    ):
        lab.apps.state.apps.set(ONE, spoiled)
        with pytest.raises(AssertionError, match=words):
            lab.check()
    lab.apps.state.apps.set(ONE, app)
    lab.apps.state.count.set(U64(2))
    with pytest.raises(AssertionError, match="2 are counted"):
        lab.check()
    lab.apps.state.count.set(U64(1))
    lab.world.transfer(OWNER, lab.apps.address, lab.params.escrow.min_deposit)
    with pytest.raises(AssertionError, match="belong to the escrow"):
        lab.check()
