"""The agent's plan: from desired and observed to named actions, without any engine."""

from dataclasses import replace

import msgspec

from flux.agent.actions import (
    Confirm,
    CreateContainer,
    EnsureNetwork,
    EnsureVolume,
    PlaceSecrets,
    PullImage,
    RemoveContainer,
    RemoveNetwork,
    ReportFailure,
    ReportResumed,
    ReportStalled,
    StartContainer,
    StopContainer,
)
from flux.agent.container_specs import container_spec, plan_hash, secret_files
from flux.agent.desired import DesiredInstance, Lock
from flux.agent.observed import ObservedContainer, ObservedInstance
from flux.agent.plan import LONG_WAIT, SEED_PATIENCE, TELL_AGAIN, Memory, Plan, plan_instance, plan_removal
from flux.agent.restarts import BACK_OFF, STABLE, Crashes
from flux.contracts.apps.types import AppSpec, Component, Dependency, PrivateSpec, Secret
from flux.contracts.market.types import FailReason, LeaseState, PortBinding
from flux.primitives.types import U8, U16
from flux.runtime.types import (
    Binding,
    ContainerHealth,
    ContainerId,
    ContainerState,
    ContainerView,
    ImageReference,
    SecretFile,
)
from support.leases import DATABASE, IMAGES, NODE, WEB, make_desired


def make_container(
    desired: DesiredInstance,
    name: str,
    state: ContainerState = ContainerState.RUNNING,
    health: ContainerHealth = ContainerHealth.NONE,
    exit_code: int | None = None,
) -> ObservedContainer:
    component = desired.component(name)
    assert component is not None
    spec = container_spec(NODE, desired, component)
    bindings = tuple(Binding(port.container, port.protocol, 40000, "127.0.0.1") for port in component.ports)
    view = ContainerView(
        id=ContainerId(f"id-{name}"), name=spec.name, labels=dict(spec.labels), image=spec.image, state=state,
        exit_code=exit_code, oom_killed=False, error="", health=health,
        bindings=bindings if state is ContainerState.RUNNING else (), created_at=0, started_at=0, finished_at=None,
    )  # fmt: skip
    return ObservedContainer(view, health)


def make_observed(desired: DesiredInstance, *containers: ObservedContainer) -> ObservedInstance:
    by_name = {container.view.labels["flux.component"]: container for container in containers}
    return ObservedInstance(desired.key(NODE), by_name, ("flux-19169-12345678-3-7",))


def look(
    desired: DesiredInstance, observed: ObservedInstance | None, memory: Memory | None = None, now: float = 0
) -> Plan:
    return plan_instance(NODE, desired, observed, IMAGES, memory or Memory(first_seen=0), now)


def test_missing_images_are_pulled_before_anything_is_created() -> None:
    plan = plan_instance(NODE, make_desired(), None, frozenset(), Memory(0), 0)
    assert plan.actions == (PullImage(ImageReference(WEB), None), PullImage(ImageReference(DATABASE), None))


def test_an_instance_is_created_in_the_order_of_its_dependencies() -> None:
    kinds = [(type(action), getattr(action, "component", "")) for action in look(make_desired(), None).actions]
    assert kinds == [
        (EnsureNetwork, ""),
        (EnsureVolume, ""),
        (CreateContainer, "database"),
        (CreateContainer, "web"),
        (StartContainer, "database"),
    ]


def test_what_may_run_once_only_is_not_started_with_its_creation() -> None:
    wish = make_desired()
    desired = replace(wish, spec=msgspec.structs.replace(wish.spec, at_most_one=True))
    assert not any(isinstance(action, StartContainer) for action in look(desired, None).actions)
    made = make_observed(desired, make_container(desired, "database", ContainerState.CREATED))
    assert any(isinstance(action, CreateContainer) for action in look(desired, made).actions)


def test_what_crashed_before_is_made_again_and_not_started_at_once() -> None:
    desired = make_desired()
    observed = make_observed(desired, make_container(desired, "web"))
    (*_, made) = look(desired, observed, Memory(0, crashes={"database": Crashes(2, 100.0)}), now=100).actions
    assert isinstance(made, CreateContainer)
    assert made.component == "database"


def test_a_dependent_waits_until_its_dependency_is_healthy() -> None:
    desired = make_desired()
    web = make_container(desired, "web", ContainerState.CREATED)
    starting = make_container(desired, "database", health=ContainerHealth.STARTING)
    plan = look(desired, make_observed(desired, web, starting))
    assert plan.actions == ()
    assert "web waits for database" in plan.waiting_for
    healthy = make_container(desired, "database", health=ContainerHealth.HEALTHY)
    assert look(desired, make_observed(desired, web, healthy)).actions == (
        StartContainer("web", ContainerId("id-web")),
    )


def test_a_running_instance_is_confirmed_once_with_its_ports() -> None:
    desired = make_desired()
    observed = make_observed(desired, make_container(desired, "web"), make_container(desired, "database"))
    (confirm,) = look(desired, observed).actions
    assert isinstance(confirm, Confirm)
    assert [(b.component, b.container, b.host) for b in confirm.bindings] == [("web", 80, 40000)]
    assert look(desired, observed, Memory(0, confirmed=True)).actions == ()
    running = make_desired(state=LeaseState.RUNNING)
    assert look(running, observed) == Plan()


def test_a_container_made_again_gets_the_ports_that_the_chain_has_on_record() -> None:
    desired = make_desired()
    (port,) = desired.spec.components[0].ports
    binding = PortBinding("web", U16(port.container), U16(31_234), U8(6))
    confirmed = replace(desired, lease=desired.lease.but(state=LeaseState.RUNNING, bindings=(binding,)))
    creations = [action for action in look(confirmed, None).actions if isinstance(action, CreateContainer)]
    web = next(action.spec for action in creations if action.component == "web")
    assert [(item.container, item.host) for item in web.ports] == [(port.container, 31_234)]


def test_a_crashed_component_is_restarted_with_growing_delays() -> None:
    desired = make_desired(state=LeaseState.RUNNING)
    down = make_container(desired, "database", ContainerState.EXITED, exit_code=1)
    observed = make_observed(desired, make_container(desired, "web"), down)
    first = Crashes().record(now=1000, ran=100)
    memory = Memory(0, crashes={"database": first})
    assert look(desired, observed, memory, now=1000).actions == (StartContainer("database", down.view.id),)
    second = first.record(now=1010, ran=10)
    waiting = look(desired, observed, Memory(0, crashes={"database": second}), now=1011)
    assert waiting.actions == ()
    assert waiting.wake_at == 1010 + BACK_OFF[1]
    assert second.record(now=1010 + STABLE + 1, ran=STABLE).count == 1


def make_single(state: LeaseState) -> tuple[DesiredInstance, ObservedInstance, ObservedInstance]:
    """An instance of one component, as it is while that is down and while it runs."""
    desired = make_desired(AppSpec(components=(Component("web", WEB, 500, 64),)), state=state)
    down, up = make_container(desired, "web", ContainerState.EXITED, exit_code=1), make_container(desired, "web")
    return desired, make_observed(desired, down), make_observed(desired, up)


def test_the_chain_is_told_of_an_instance_that_waits_for_long_and_that_it_runs_again() -> None:
    desired, down, up = make_single(LeaseState.RUNNING)
    memory = Memory(0, crashes={"web": Crashes(2, 100.0)})
    plan = look(desired, down, memory, now=100)
    assert (plan.actions, plan.wake_at) == ((ReportStalled(desired.lease.id),), 100 + BACK_OFF[1])
    told = memory.after(plan.actions, 100)
    assert look(desired, down, told, now=100 + TELL_AGAIN - 1).actions == ()
    assert look(desired, down, told, now=100 + TELL_AGAIN).actions == plan.actions
    stalled, down, up = make_single(LeaseState.STALLED)
    assert look(stalled, down, told, now=100 + TELL_AGAIN).actions == ()
    assert look(stalled, down, told, now=100 + BACK_OFF[1]).actions == (
        StartContainer("web", down.containers["web"].view.id),
    )
    plan = look(stalled, up, told, now=131)
    assert plan.actions == (ReportResumed(desired.lease.id),)
    assert look(stalled, up, told.after(plan.actions, 131), now=132).actions == ()
    assert look(desired, up, told.after(plan.actions, 131), now=200).actions == ()


def test_the_chain_is_not_told_of_a_short_wait_or_while_another_component_runs() -> None:
    desired, down, _ = make_single(LeaseState.RUNNING)
    late = 100 + BACK_OFF[1] - LONG_WAIT + 1
    assert look(desired, down, Memory(0, crashes={"web": Crashes(2, 100.0)}), now=late).actions == ()
    both = make_desired(state=LeaseState.RUNNING)
    database = make_container(both, "database", ContainerState.EXITED, exit_code=1)
    memory = Memory(0, crashes={"database": Crashes(2, 100.0)})
    assert look(both, make_observed(both, make_container(both, "web"), database), memory, now=100).actions == ()


def test_an_instance_that_was_never_confirmed_does_not_stall() -> None:
    desired, down, _ = make_single(LeaseState.ASSIGNED)
    assert look(desired, down, Memory(0, crashes={"web": Crashes(2, 100.0)}), now=100).actions == ()


def test_a_component_that_keeps_crashing_gives_the_lease_back() -> None:
    desired = make_desired(state=LeaseState.RUNNING)
    down = make_container(desired, "database", ContainerState.EXITED, exit_code=3)
    memory = Memory(0, crashes={"database": Crashes(5, 100.0)})
    (report,) = look(desired, make_observed(desired, make_container(desired, "web"), down), memory, now=10_000).actions
    assert isinstance(report, ReportFailure)
    assert report.reason is FailReason.CRASH_LOOP
    assert "exit status 3" in report.detail


def test_an_unhealthy_component_is_stopped_so_that_it_restarts() -> None:
    desired = make_desired(state=LeaseState.RUNNING)
    sick = make_container(desired, "database", health=ContainerHealth.UNHEALTHY)
    plan = look(desired, make_observed(desired, make_container(desired, "web"), sick))
    assert plan.actions == (StopContainer("database", sick.view.id, unhealthy=True),)


def test_a_component_that_stays_unhealthy_gives_the_lease_back_sooner_where_it_never_was_healthy() -> None:
    for state, patience in ((LeaseState.RUNNING, 5), (LeaseState.ASSIGNED, 2)):
        desired = make_desired(state=state)
        down = make_container(desired, "database", ContainerState.EXITED, exit_code=0)
        observed = make_observed(desired, make_container(desired, "web"), down)
        crashes = Crashes()
        for run in range(1, patience + 1):
            crashes = crashes.record(now=run * 10_000, ran=60, unhealthy=True)
            memory = Memory(0, crashes={"database": crashes})
            early = look(desired, observed, memory, now=crashes.restart_at() - 1)
            late = look(desired, observed, memory, now=crashes.restart_at())
            if run < patience:
                assert late.actions == (StartContainer("database", down.view.id),)
                assert run == 1 or "unhealthy" in early.waiting_for
        (report,) = late.actions
        assert isinstance(report, ReportFailure)
        assert report.reason is FailReason.UNHEALTHY
        assert "database" in report.detail


def test_a_component_stopped_as_unhealthy_is_not_taken_for_done() -> None:
    for restart, expected in (("on-failure", StartContainer), ("no", ReportFailure)):
        spec = AppSpec((Component("job", WEB, 500, 64, restart=restart),))
        desired = make_desired(spec, state=LeaseState.RUNNING)
        ended = make_container(desired, "job", ContainerState.EXITED, exit_code=0)
        memory = Memory(0, crashes={"job": Crashes().record(100, 50, unhealthy=True)})
        (action,) = look(desired, make_observed(desired, ended), memory, now=1000).actions
        assert isinstance(action, expected)


def test_a_one_shot_component_that_succeeded_counts_as_done() -> None:
    spec = AppSpec(
        components=(
            Component("migrate", DATABASE, 100, 64, restart="no"),
            Component("web", WEB, 100, 64, depends_on=(Dependency("migrate", "completed"),)),
        )
    )
    desired = make_desired(spec)
    done = make_container(desired, "migrate", ContainerState.EXITED, exit_code=0)
    observed = make_observed(desired, done, make_container(desired, "web"))
    assert isinstance(look(desired, observed).actions[0], Confirm)
    failed = make_container(desired, "migrate", ContainerState.EXITED, exit_code=2)
    (report,) = look(desired, make_observed(desired, failed, make_container(desired, "web"))).actions
    assert isinstance(report, ReportFailure)
    assert report.reason is FailReason.START


def test_a_container_of_an_older_plan_is_replaced() -> None:
    desired = make_desired()
    older = replace(desired, app_name="other")
    observed = make_observed(desired, make_container(older, "web"), make_container(desired, "database"))
    assert look(desired, observed).actions == (
        StopContainer("web", ContainerId("id-web")),
        RemoveContainer("web", ContainerId("id-web")),
    )


def test_a_locked_instance_waits_for_its_seed_and_then_gives_the_lease_back() -> None:
    desired = make_desired(lock=Lock.WAITING)
    plan = look(desired, None, now=1)
    assert [type(action) for action in plan.actions] == [EnsureNetwork]
    plan = look(desired, make_observed(desired), now=1)
    assert plan.actions == ()
    assert plan.wake_at == SEED_PATIENCE
    (report,) = look(desired, None, now=SEED_PATIENCE).actions
    assert isinstance(report, ReportFailure)
    assert report.reason is FailReason.NO_SEED


def test_a_locked_instance_that_runs_is_kept() -> None:
    opened = make_desired(state=LeaseState.RUNNING)
    locked = make_desired(state=LeaseState.RUNNING, lock=Lock.WAITING)
    observed = make_observed(opened, make_container(opened, "web"), make_container(opened, "database"))
    assert look(locked, observed, now=10_000).actions == ()


def test_what_failed_for_good_is_reported() -> None:
    memory = Memory(0, failure=(FailReason.IMAGE_PULL, "not found"))
    assert look(make_desired(), None, memory).actions == (
        ReportFailure(make_desired().lease.id, FailReason.IMAGE_PULL, "not found"),
    )


def test_a_closed_lease_loses_containers_and_network_but_not_its_volumes() -> None:
    desired = make_desired()
    observed = make_observed(desired, make_container(desired, "web"))
    assert plan_removal(observed).actions == (
        StopContainer("web", ContainerId("id-web")),
        RemoveContainer("web", ContainerId("id-web")),
        RemoveNetwork("flux-19169-12345678-3-7"),
    )


def test_the_private_half_is_in_no_representation() -> None:
    (create,) = [
        a for a in look(make_desired(), None).actions if isinstance(a, CreateContainer) and a.component == "web"
    ]
    assert create.spec.environment["PASSWORD"] == "hunter2"
    assert "hunter2" not in repr(create)
    assert "hunter2" not in repr(make_desired())


def make_secret_desired(lock: Lock = Lock.OPEN) -> DesiredInstance:
    """`web` gets a secret as a file, and another in its environment."""
    plain = make_desired()
    secrets = (
        Secret("key", b"\x00k", components=("web",), mode=0o400),
        Secret("token", b"t", in_environment=True, components=("web",)),
    )
    return replace(plain, lock=lock, private=replace_private(plain.private, secrets))


def replace_private(private: PrivateSpec, secrets: tuple[Secret, ...]) -> PrivateSpec:
    return PrivateSpec(private.components, private.registries, secrets)


def test_secrets_reach_the_components_they_are_for_as_file_or_variable() -> None:
    desired = make_secret_desired()
    web, database = (desired.component(name) for name in ("web", "database"))
    assert web is not None
    assert database is not None
    spec = container_spec(NODE, desired, web)
    assert spec.secrets == (SecretFile("/run/secrets/key", b"\x00k", 0o400),)
    assert spec.environment["token"] == "t"
    other = container_spec(NODE, desired, database)
    assert (other.secrets, "token" in other.environment) == ((), False)
    assert "x00k" not in repr(spec) + repr(desired) + repr(desired.private.secrets)


def test_a_changed_secret_needs_a_new_container_of_its_component_alone() -> None:
    before, after = make_desired(), make_secret_desired()
    for name in ("web", "database"):
        component = before.component(name)
        assert component is not None
        assert (plan_hash(NODE, before, component) == plan_hash(NODE, after, component)) == (name == "database")


def test_secrets_are_placed_again_before_each_start() -> None:
    desired = make_secret_desired()
    observed = make_observed(
        desired,
        make_container(desired, "database", health=ContainerHealth.HEALTHY),
        make_container(desired, "web", ContainerState.CREATED),
    )
    placed, started = look(desired, observed).actions
    web = desired.component("web")
    assert web is not None
    assert placed == PlaceSecrets("web", container_spec(NODE, desired, web).name, secret_files(desired, web))
    assert isinstance(started, StartContainer)


def test_what_does_not_run_waits_a_while_for_a_seed_that_is_missing() -> None:
    desired = make_secret_desired()
    observed = make_observed(
        desired,
        make_container(desired, "database", health=ContainerHealth.HEALTHY),
        make_container(desired, "web", ContainerState.EXITED, exit_code=0),
    )
    locked = replace(desired, lock=Lock.WAITING)
    plan = look(locked, observed, now=1)
    assert (plan.actions, plan.wake_at) == ((), SEED_PATIENCE)
    assert [type(action) for action in look(locked, observed, now=SEED_PATIENCE).actions][-1] is StartContainer
