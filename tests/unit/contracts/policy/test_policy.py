"""Content policy: what a vote keeps off the network, with notice and appeal."""

import pytest

from flux.contracts.addresses import GOVERNOR
from flux.contracts.apps.types import AppId, AppStatus, UnknownApp, encode_spec
from flux.contracts.policy import invariants, rules
from flux.contracts.policy.types import (
    AlreadyAppealed,
    AlreadyDenied,
    AppAllowed,
    AppClosedByPolicy,
    AppDenied,
    AppIsDenied,
    DenialAppealed,
    ImageAllowed,
    ImageDenied,
    ImageIsDenied,
    NotAppOwner,
    NotDenied,
    NotYetEnforced,
    ReasonTooLong,
)
from flux.kernel.errors import Unauthorized
from flux.primitives.types import U16, U64, ChainTime, Hash
from support.contract_lab import FLUX, IMAGE, account, component, spec
from support.protocol_world import ProtocolWorld

DIGEST = Hash(bytes.fromhex(IMAGE.rpartition(":")[2]))
OWNER = account("tenant shop")


@pytest.fixture
def world() -> ProtocolWorld:
    made = ProtocolWorld()
    made.fleet(2)
    return made


def status(world: ProtocolWorld, app: AppId) -> AppStatus:
    return world.apps.app(world.world.context(OWNER), app).status


def decree(world: ProtocolWorld, name: str, *arguments: object) -> None:
    world.send(GOVERNOR, getattr(world.policy, name), *arguments)


def notice(world: ProtocolWorld, extra: int = 0) -> ChainTime:
    return ChainTime(U64(world.world.block.now + world.params.policy.notice + extra))


def test_only_a_vote_moves_the_denylist(world: ProtocolWorld) -> None:
    for name, arguments in (
        ("deny_image", (DIGEST, "malware")),
        ("allow_image", (DIGEST,)),
        ("deny_app", (AppId(U64(1)), "abuse")),
        ("allow_app", (AppId(U64(1)),)),
    ):
        with pytest.raises(Unauthorized):
            world.send(OWNER, getattr(world.policy, name), *arguments)


def test_a_denied_image_is_refused_wherever_it_would_start(world: ProtocolWorld) -> None:
    app = world.deploy()
    world.run_all(app)
    world.send(OWNER, world.apps.pause, app)
    decree(world, "deny_image", DIGEST, "malware")
    assert world.world.emitted(world.policy, ImageDenied(DIGEST, notice(world), "malware"))
    spec = encode_spec(world.apps.app_spec(app, world.apps.app(world.world.context(OWNER), app).revision))
    with pytest.raises(ImageIsDenied):
        world.deploy("other")
    with pytest.raises(ImageIsDenied):
        world.send(OWNER, world.apps.update, app, U16(1), spec, b"")
    with pytest.raises(ImageIsDenied):
        world.send(OWNER, world.apps.resume, app)
    assert world.policy.denied_images(world.world.context(OWNER), Hash(bytes(32))) == [DIGEST]
    with pytest.raises(AlreadyDenied):
        decree(world, "deny_image", DIGEST, "again")
    decree(world, "allow_image", DIGEST)
    assert world.world.emitted(world.policy, ImageAllowed(DIGEST))
    world.send(OWNER, world.apps.resume, app)
    with pytest.raises(NotDenied):
        decree(world, "allow_image", DIGEST)


def test_a_running_app_with_a_denied_image_has_notice_and_then_anybody_may_close_it(world: ProtocolWorld) -> None:
    app = world.deploy()
    world.run_all(app)
    stranger = world.fund("stranger")
    with pytest.raises(NotDenied):
        world.send(stranger, world.policy.enforce, app)
    decree(world, "deny_image", DIGEST, "malware")
    with pytest.raises(NotYetEnforced):
        world.send(stranger, world.policy.enforce, app)
    world.block(seconds=world.params.policy.notice)
    assert len(world.open(app)) == 1
    before = world.world.balance(OWNER)
    world.send(stranger, world.policy.enforce, app)
    assert world.world.emitted(world.policy, AppClosedByPolicy(app, "malware"))
    assert (status(world, app), world.open(app)) == (AppStatus.CLOSED, [])
    assert world.world.balance(OWNER) > before, "what was not used comes back"
    with pytest.raises(NotDenied):
        world.send(stranger, world.policy.enforce, app)
    world.block()


def test_a_denied_app_closes_by_itself_after_its_notice(world: ProtocolWorld) -> None:
    app = world.deploy()
    world.run_all(app)
    with pytest.raises(UnknownApp):
        decree(world, "deny_app", AppId(U64(77)), "abuse")
    decree(world, "deny_app", app, "abuse")
    assert world.world.emitted(world.policy, AppDenied(app, notice(world), "abuse"))
    with pytest.raises(AlreadyDenied):
        decree(world, "deny_app", app, "abuse")
    world.block(seconds=world.params.policy.notice - 1)
    world.block()
    assert status(world, app) is AppStatus.ACTIVE
    world.block()
    assert status(world, app) is AppStatus.CLOSED
    assert world.policy.app_denial(world.world.context(OWNER), app).reason == "abuse"
    with pytest.raises(NotDenied):
        world.send(OWNER, world.policy.appeal, app, "please")


def test_a_denied_app_cannot_be_paused_through_its_notice_and_resumed(world: ProtocolWorld) -> None:
    app = world.deploy()
    world.run_all(app)
    decree(world, "deny_app", app, "abuse")
    world.send(OWNER, world.apps.pause, app)
    with pytest.raises(AppIsDenied):
        world.send(OWNER, world.apps.resume, app)
    spec = encode_spec(world.apps.app_spec(app, world.apps.app(world.world.context(OWNER), app).revision))
    with pytest.raises(AppIsDenied):
        world.send(OWNER, world.apps.update, app, U16(1), spec, b"")


def test_an_appeal_postpones_enforcement_once_and_a_vote_can_lift_the_denial(world: ProtocolWorld) -> None:
    app = world.deploy()
    world.run_all(app)
    with pytest.raises(NotDenied):
        world.send(OWNER, world.policy.appeal, app, "please")
    decree(world, "deny_app", app, "abuse")
    with pytest.raises(NotAppOwner):
        world.send(world.fund("stranger"), world.policy.appeal, app, "please")
    for text in ("", "x" * 1_025):
        with pytest.raises(ReasonTooLong):
            world.send(OWNER, world.policy.appeal, app, text)
    world.send(OWNER, world.policy.appeal, app, "it is a mistake")
    later = notice(world, world.params.policy.appeal)
    assert world.world.emitted(world.policy, DenialAppealed(app, later, "it is a mistake"))
    with pytest.raises(AlreadyAppealed):
        world.send(OWNER, world.policy.appeal, app, "again")
    world.block(seconds=world.params.policy.notice + 5)
    world.block()
    assert status(world, app) is AppStatus.ACTIVE
    decree(world, "allow_app", app)
    assert world.world.emitted(world.policy, AppAllowed(app))
    with pytest.raises(NotDenied):
        decree(world, "allow_app", app)
    world.block(seconds=world.params.policy.appeal)
    world.block()
    assert status(world, app) is AppStatus.ACTIVE
    assert world.policy.app_denial(world.world.context(OWNER), app) == rules.NOTHING


def test_an_app_may_appeal_for_its_image(world: ProtocolWorld) -> None:
    app = world.deploy()
    decree(world, "deny_image", DIGEST, "malware")
    world.send(OWNER, world.policy.appeal, app, "a false alarm")
    denial = world.policy.image_denial(world.world.context(OWNER), DIGEST)
    assert (denial.appealed, denial.enforced_from) == (True, notice(world, world.params.policy.appeal))
    with pytest.raises(AlreadyAppealed):
        world.send(OWNER, world.policy.appeal, app, "again")


def test_reasons_are_given_and_short(world: ProtocolWorld) -> None:
    for text in ("", "x" * 1_025):
        with pytest.raises(ReasonTooLong):
            decree(world, "deny_image", DIGEST, text)


def test_the_invariants_notice_a_denial_without_notice(world: ProtocolWorld) -> None:
    decree(world, "deny_image", DIGEST, "malware")
    denial = world.policy.state.images.get(DIGEST)
    world.policy.state.images.set(DIGEST, denial.but(enforced_from=denial.since))
    world.fund("someone")
    world.world.transfer(account("someone"), world.policy.address, FLUX)  # type: ignore[arg-type]
    found = " ".join(invariants.check(world.policy))
    assert "gives no notice" in found
    assert "holds" in found
    assert component().image == IMAGE


def test_a_revision_that_never_comes_hides_no_denied_image_that_still_runs(world: ProtocolWorld) -> None:
    app = world.deploy()
    world.run_all(app)
    decree(world, "deny_image", DIGEST, "malware")
    other = component(image="registry.test/hello@sha256:" + "cd" * 32, memory_mib=50_000)
    world.send(OWNER, world.apps.update, app, U16(1), encode_spec(spec(other)), b"")
    world.block(seconds=world.params.policy.notice)
    world.block()
    assert [lease.revision for lease in world.open(app)] == [1]
    world.send(account("anybody"), world.policy.enforce, app)
    assert status(world, app) is AppStatus.CLOSED
