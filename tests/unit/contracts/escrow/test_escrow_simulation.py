"""Random tenants, payers, leases and clocks: every invariant after each step, conservation to the wei."""

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from flux.contracts.apps.types import AppId, AppStatus, encode_spec
from flux.contracts.market.types import CloseReason, LeaseState
from flux.contracts.nodes.types import Ask
from flux.kernel.errors import Revert
from flux.primitives.types import U16, U64, ChainTime
from flux.protocol.params import DEFAULT
from support.contract_lab import FLUX, Lab, account, component, spec

PEOPLE = [account(f"person {number}") for number in range(4)]
SPECS = [encode_spec(spec(component(cpu_milli=cpu))) for cpu in (500, 1000, 3000)]
NAMES = ["a", "b", "c"]
ESCROW_PARAMS = DEFAULT.escrow.but(max_deposits=U16(3), min_runtime=U64(60), settlement_lag=U64(20))

people = st.integers(0, 3)
apps = st.integers(1, 3).map(lambda number: AppId(U64(number)))
leases = st.integers(1, 12)


class EscrowSimulation(RuleBasedStateMachine):
    """What anybody could do, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab(DEFAULT.but(escrow=ESCROW_PARAMS))
        for person in PEOPLE:
            self.lab.fund(person, 100)

    @initialize(prices=st.lists(st.integers(0, 10**8), min_size=3, max_size=3))
    def open_nodes(self, prices: list[int]) -> None:
        for number, price in enumerate(prices):
            self.lab.join(f"node {number}", ask=Ask(U64(price), U64(7), U64(0), U64(0)))
        for owner, name in enumerate(NAMES[:2]):
            self.lab.deploy(PEOPLE[owner], 20 + owner, name=name, instances=2 + owner)
            self.lab.confirm_all(owner + 1)

    def attempt(self, person: int, value: int, function: object, *args: object) -> None:
        with suppress(Revert):
            self.lab.send(PEOPLE[person], value, function, *args)  # type: ignore[arg-type]

    @rule(
        person=people,
        name=st.sampled_from(NAMES),
        instances=st.integers(0, 4),
        data=st.sampled_from(SPECS),
        milli=st.integers(0, 200),
        dust=st.integers(0, 10**6),
    )
    def deploy(self, person: int, name: str, instances: int, data: bytes, milli: int, dust: int) -> None:
        value = milli * FLUX // 1000 + dust
        self.attempt(person, value, self.lab.apps.deploy, name, U16(instances), data, b"")

    @rule(person=people, app=apps, milli=st.integers(0, 50), dust=st.integers(0, 10**6))
    def top_up(self, person: int, app: AppId, milli: int, dust: int) -> None:
        self.attempt(person, milli * FLUX // 1000 + dust, self.lab.escrow.top_up, app)

    @rule(person=people, app=apps, instances=st.integers(1, 4), data=st.sampled_from(SPECS))
    def update(self, person: int, app: AppId, instances: int, data: bytes) -> None:
        self.attempt(person, 0, self.lab.apps.update, app, U16(instances), data, b"")

    @rule(person=people, app=apps, instances=st.integers(1, 4))
    def scale(self, person: int, app: AppId, instances: int) -> None:
        self.attempt(person, 0, self.lab.apps.scale, app, U16(instances))

    @rule(app=apps, what=st.sampled_from(["pause", "resume", "remove", "settle"]))
    def control(self, app: AppId, what: str) -> None:
        record = self.lab.apps.state.apps.find(app)
        if record is None:
            return
        contract = self.lab.escrow if what == "settle" else self.lab.apps
        self.attempt(PEOPLE.index(record.owner), 0, getattr(contract, what), app)

    @rule(lease=leases)
    def confirm(self, lease: int) -> None:
        found = self.lab.market.leases.get(lease)
        if found is not None and found.state in (LeaseState.ASSIGNED, LeaseState.SUSPECT):
            self.lab.market.confirm(self.lab.context(), lease)

    @rule()
    def confirm_everything(self) -> None:
        for lease in sorted(self.lab.market.leases):
            self.confirm(lease)

    @rule(lease=leases, ago=st.integers(0, 100))
    def suspect(self, lease: int, ago: int) -> None:
        found = self.lab.market.leases.get(lease)
        if found is not None and found.state is LeaseState.RUNNING:
            self.lab.market.suspect(self.lab.context(), lease, self.lab.world.block.now - ago)

    @rule(lease=leases, reason=st.sampled_from([CloseReason.CRASHED, CloseReason.UPDATED]))
    def close(self, lease: int, reason: CloseReason) -> None:
        found = self.lab.market.leases.get(lease)
        if found is not None and found.state is not LeaseState.CLOSED:
            self.lab.market.close(self.lab.context(), lease, reason)

    @rule(seconds=st.one_of(st.integers(0, 90), st.integers(0, 10**5)))
    def wait(self, seconds: int) -> None:
        self.lab.advance(seconds)

    @rule(seconds=st.integers(0, 10**5))
    def wait_and_leave_the_work_for_later(self, seconds: int) -> None:
        self.lab.world.advance(seconds)

    @rule(app=apps)
    def wait_until_the_money_ends(self, app: AppId) -> None:
        account_ = self.lab.escrow.state.accounts.find(app)
        now = self.lab.world.block.now
        if account_ is not None and now < account_.depletes_at < now + 10**7:
            self.lab.advance(account_.depletes_at - now)
            assert self.lab.apps.app(self.lab.context(), app).status is not AppStatus.ACTIVE
            assert self.lab.escrow.balance(self.lab.context(), app).balance == 0

    @invariant()
    def every_wei_is_somewhere(self) -> None:
        self.lab.check()

    @invariant()
    def each_account_has_one_depletion_in_the_queue_or_none(self) -> None:
        accounts = self.lab.escrow.state.accounts.items()
        expected = sorted((account_.depletes_at, app) for app, account_ in accounts if account_.depletes_at)
        queued = sorted((due.time, due.subject) for due in self.lab.world.schedule.ready(ChainTime(U64(2**62))))
        assert queued == expected

    @invariant()
    def a_view_never_shows_more_than_was_paid_in(self) -> None:
        for app, account_ in self.lab.escrow.state.accounts.items():
            shown = self.lab.escrow.balance(self.lab.context(), app)
            assert shown.balance + shown.spent == sum(item.remaining for item in account_.deposits) + account_.spent


EscrowSimulation.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestEscrowSimulation = EscrowSimulation.TestCase
