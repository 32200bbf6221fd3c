"""Apps: what tenants deploy, its revisions and its status."""

from collections.abc import Callable
from functools import lru_cache

from flux.contracts.addresses import APPS, ESCROW
from flux.contracts.apps import rules
from flux.contracts.apps.ports import EscrowPort, MarketPort, PolicyPort, SecretsPort
from flux.contracts.apps.state import AppsState
from flux.contracts.apps.types import (
    App,
    AppDeployed,
    AppId,
    AppsParams,
    AppSpec,
    AppStatus,
    AppStatusChanged,
    AppUpdated,
    InvalidInstances,
    InvalidName,
    InvalidSpec,
    KeptRevision,
    NameTaken,
    NotOwner,
    Revision,
    RevisionIsCurrent,
    UnknownApp,
    UnknownRevision,
    WrongAppStatus,
    decode_spec,
)
from flux.contracts.escrow.types import BalanceTooLow, DepositTooSmall
from flux.contracts.oracle.types import NoPrice
from flux.contracts.policy.types import ImageIsDenied
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, view
from flux.primitives.keccak import keccak256
from flux.primitives.types import U8, U16, U32, U64, Address

FIRST_REVISION = Revision(U32(1))
_decoded = lru_cache(maxsize=256)(decode_spec)
"""A spec is immutable and named by its bytes. Few are kept, because a hostile one decodes to many times its size."""


class Apps(Contract):
    """Deploys, changes and removes apps; only the owner changes one."""

    name = "Apps"
    address = APPS
    events = (AppDeployed, AppUpdated, AppStatusChanged)
    errors = (
        UnknownApp,
        UnknownRevision,
        RevisionIsCurrent,
        NameTaken,
        InvalidName,
        InvalidSpec,
        InvalidInstances,
        NotOwner,
        WrongAppStatus,
        DepositTooSmall,
        BalanceTooLow,
        NoPrice,
    )

    def __init__(
        self,
        host: Host,
        params: AppsParams,
        market: MarketPort,
        escrow: EscrowPort,
        secrets: SecretsPort,
        policy: PolicyPort,
    ) -> None:
        super().__init__(host)
        self.params = params
        self.state = AppsState(host.storage)
        self._market = market
        self._escrow = escrow
        self._secrets = secrets
        self._policy = policy

    @method(gas=100_000, payable=True)
    def deploy(self, ctx: Context, name: str, instances: U16, spec: bytes, ciphertext: bytes) -> AppId:
        """Deploy a new app; the caller owns it and the value is its first deposit.

        Raises InvalidName, NameTaken, InvalidInstances, InvalidSpec, ImageIsDenied, DepositTooSmall, NoPrice.
        """
        rules.check_name(name)
        rules.check_instances(instances, self.params)
        checked = self.check(spec)
        self._policy.check_spec(ctx, checked)
        rules.check_ciphertext(checked, ciphertext, self.params)
        if (holder := self.state.names.find(name)) is not None:
            raise NameTaken(name, holder)
        id = AppId(U64(self.state.count.get() + 1))
        self.host.pay(ESCROW, ctx.value)
        self._escrow.open(ctx, id, ctx.sender, ctx.value, checked, instances)
        self.state.count.set(id)
        self.state.names.set(name, id)
        self.state.owned.set((ctx.sender, id), U32(1))
        app = App(
            id, ctx.sender, name, AppStatus.ACTIVE, FIRST_REVISION, instances, ctx.now, keccak256(spec), FIRST_REVISION
        )
        self._keep_revision(ctx, app, spec, ciphertext)
        self.host.emit(AppDeployed(id, ctx.sender, name, instances))
        self.state.apps.set(id, app)
        self._market.app_deployed(ctx, app)
        return id

    @method(gas=80_000)
    def update(self, ctx: Context, app: AppId, instances: U16, spec: bytes, ciphertext: bytes) -> Revision:
        """A new revision; the market brings the instances to it step by step, and back if a step fails.

        Raises what deploy raises, AppIsDenied, and BalanceTooLow when it costs more than the balance covers.
        """
        record = self._own(ctx, app, *rules.OPEN)
        rules.check_instances(instances, self.params)
        checked = self.check(spec)
        self._policy.check_app(ctx, app)
        self._policy.check_spec(ctx, checked)
        rules.check_ciphertext(checked, ciphertext, self.params)
        self._check_growth(ctx, record, checked, instances)
        revision = Revision(U32(record.highest + 1))
        changed = record.but(revision=revision, instances=instances, spec_hash=keccak256(spec), highest=revision)
        self._keep_revision(ctx, changed, spec, ciphertext)
        self._change_revision(ctx, changed, record.revision)
        return revision

    @method(gas=80_000)
    def rollback(self, ctx: Context, app: AppId, revision: Revision) -> None:
        """Go back (or forward) to a revision that is kept; the market brings the instances to it step by step.

        Raises UnknownRevision, RevisionIsCurrent, AppIsDenied, ImageIsDenied, BalanceTooLow.
        """
        record = self._own(ctx, app, *rules.OPEN)
        if revision == record.revision:
            raise RevisionIsCurrent(app, revision)
        spec = self.app_spec(app, revision)
        self._policy.check_app(ctx, app)
        self._policy.check_spec(ctx, spec)
        self._check_growth(ctx, record, spec, record.instances)
        self._change_revision(ctx, self._at(record, revision), record.revision)

    @method(gas=50_000)
    def scale(self, ctx: Context, app: AppId, instances: U16) -> None:
        """Run more or fewer instances of the same revision. Raises InvalidInstances, BalanceTooLow."""
        record = self._own(ctx, app, *rules.OPEN)
        rules.check_instances(instances, self.params)
        self._check_growth(ctx, record, self.app_spec(app, record.revision), instances)
        self.host.emit(AppUpdated(app, record.revision, instances))
        self._save(ctx, record.but(instances=instances))

    @method(gas=50_000)
    def pause(self, ctx: Context, app: AppId) -> None:
        """Stop all instances and the bill; volumes stay where they are for a while."""
        record = self._own(ctx, app, AppStatus.ACTIVE)
        self._set_status(ctx, record, AppStatus.PAUSED)

    @method(gas=50_000)
    def resume(self, ctx: Context, app: AppId) -> None:
        """Run a paused app again. Raises BalanceTooLow when its balance does not even pay for placing it."""
        record = self._own(ctx, app, AppStatus.PAUSED)
        self._escrow.check_can_start(ctx, app, self.app_spec(app, record.revision), record.instances)
        self._set_status(ctx, record, AppStatus.ACTIVE)

    @method(gas=80_000)
    def remove(self, ctx: Context, app: AppId) -> None:
        """End the app for good: its leases close, unused deposits go back, its name is free again."""
        self._close(ctx, self._own(ctx, app, *rules.OPEN))

    @view()
    def app(self, ctx: Context, app: AppId) -> App:
        """The record of an app. Raises UnknownApp."""
        record = self.state.apps.find(app)
        if record is None:
            raise UnknownApp(app)
        return record

    @view()
    def find(self, ctx: Context, name: str) -> AppId:
        """The open app of this name; 0 for none."""
        return self.state.names.find(name) or AppId(U64(0))

    @view(gas=10_000)
    def spec(self, ctx: Context, app: AppId, revision: Revision) -> bytes:
        """The canonical spec of a revision. Raises UnknownRevision."""
        return self._spec_bytes(app, revision)

    @view(gas=20_000)
    def revisions(self, ctx: Context, app: AppId) -> list[KeptRevision]:
        """The revisions whose specs are kept, the oldest first; none of a closed app."""
        return [
            KeptRevision(revision, self.state.created.get((app, revision)), keccak256(spec))
            for (_, revision), spec in self.state.specs.under(app.to_bytes(8, "big"))
        ]

    @view(gas=20_000)
    def apps(self, ctx: Context, start: AppId, limit: U16) -> list[App]:
        """Records from the id `start` on, closed ones included, in order; at most 1,000."""
        first = max(start, 1)
        last = min(self.state.count.get(), first + rules.page_limit(limit) - 1)
        return [self.state.apps.get(AppId(U64(id))) for id in range(first, last + 1)]

    @view(gas=20_000)
    def apps_of(self, ctx: Context, owner: Address, start: AppId, limit: U16) -> list[App]:
        """Open apps of an owner from the id `start` on, in order; at most 1,000."""
        found: list[App] = []
        left = rules.page_limit(limit)
        for (holder, id), _ in self.state.owned.items(start=owner + start.to_bytes(8, "big")):
            if holder != owner or left == 0:
                break
            found.append(self.state.apps.get(id))
            left -= 1
        return found

    def check(self, spec: bytes) -> AppSpec:
        """The spec of bytes from outside. Raises InvalidSpec."""
        return rules.check_spec(spec, self.params)

    def app_spec(self, app: AppId, revision: Revision) -> AppSpec:
        """The spec of a revision that is kept: the newest ones and all that have a lease. Raises UnknownRevision."""
        return _decoded(self._spec_bytes(app, revision))

    def return_to(self, ctx: Context, app: AppId, revision: Revision) -> bool:
        """For the market: a rollout failed, a kept revision is current again. False where that may not run any more."""
        record = self.app(ctx, app)
        try:
            self._policy.check_spec(ctx, self.app_spec(app, revision))
        except ImageIsDenied:
            return False
        self.host.emit(AppUpdated(app, revision, record.instances))
        self.state.apps.set(app, self._at(record, revision))
        return True

    def specs_to_run(self, ctx: Context, app: AppId) -> list[AppSpec]:
        """For the policy: the current revision's spec, and those of others that still have a lease."""
        current = self.app(ctx, app).revision
        others = (revision for revision in self._market.revisions_leased(ctx, app) if revision != current)
        return [self.app_spec(app, revision) for revision in (current, *others)]

    def close_denied(self, ctx: Context, app: AppId) -> None:
        """For the policy: end an open app as its owner would."""
        self._close(ctx, self.app(ctx, app))

    def depleted(self, ctx: Context, app: AppId) -> None:
        """For the escrow: the account ran dry. A paused app stays paused."""
        record = self.app(ctx, app)
        if record.status is AppStatus.ACTIVE:
            self._set_status(ctx, record, AppStatus.DEPLETED)

    def funded(self, ctx: Context, app: AppId) -> None:
        """For the escrow: a depleted app can pay again."""
        record = self.app(ctx, app)
        if record.status is AppStatus.DEPLETED:
            self._set_status(ctx, record, AppStatus.ACTIVE)

    def _own(self, ctx: Context, app: AppId, *statuses: AppStatus) -> App:
        """The app, whose owner must be calling and whose status must be one of those given."""
        record = self.app(ctx, app)
        if record.owner != ctx.sender:
            raise NotOwner(app, record.owner, ctx.sender)
        if record.status not in statuses:
            raise WrongAppStatus(app, U8(record.status))
        return record

    def _check_growth(self, ctx: Context, record: App, spec: AppSpec, instances: U16) -> None:
        """A running app may only become dearer when its balance would have been enough for a first deposit."""
        if record.status is not AppStatus.ACTIVE:
            return
        before = self._escrow.quote_of(ctx, self.app_spec(record.id, record.revision), record.instances)
        if self._escrow.quote_of(ctx, spec, instances) > before:
            self._escrow.check_covers(ctx, record.id, spec, instances)

    def _spec_bytes(self, app: AppId, revision: Revision) -> bytes:
        data = self.state.specs.find((app, revision))
        if data is None:
            raise UnknownRevision(app, revision)
        return data

    def _keep_revision(self, ctx: Context, app: App, spec: bytes, ciphertext: bytes) -> None:
        self.state.specs.set((app.id, app.revision), spec)
        self.state.created.set((app.id, app.revision), ctx.now)
        if ciphertext:
            self._secrets.publish(ctx, app.id, app.revision, ciphertext)

    def _at(self, app: App, revision: Revision) -> App:
        return app.but(revision=revision, spec_hash=keccak256(self._spec_bytes(app.id, revision)))

    def _change_revision(self, ctx: Context, app: App, before: Revision) -> None:
        """The owner chose another revision: what is kept on chain follows."""
        self.host.emit(AppUpdated(app.id, app.revision, app.instances))
        self.state.apps.set(app.id, app)
        self._market.revision_changed(ctx, app.id, before)
        self._market.app_changed(ctx, app.id)
        used = (app.revision, *self._market.revisions_in_use(ctx, app.id))
        self._drop_revisions(
            ctx, app.id, lambda revision: not rules.is_kept(revision, app.highest, self.params.revisions_kept, used)
        )

    def _drop_revisions(self, ctx: Context, app: AppId, is_over: Callable[[Revision], bool]) -> None:
        """Forget what was kept of revisions; each was paid for when it was stored."""
        for (_, revision), _ in list(self.state.specs.under(app.to_bytes(8, "big"))):
            if is_over(revision):
                self.state.specs.delete((app, revision))
                self.state.created.delete((app, revision))
                self._secrets.drop(ctx, app, revision)

    def _close(self, ctx: Context, record: App) -> None:
        self.state.names.delete(record.name)
        self.state.owned.delete((record.owner, record.id))
        self._set_status(ctx, record, AppStatus.CLOSED)
        self._escrow.close(ctx, record.id)
        self._drop_revisions(ctx, record.id, lambda _: True)

    def _set_status(self, ctx: Context, record: App, status: AppStatus) -> None:
        if status is AppStatus.ACTIVE:
            self._policy.check_app(ctx, record.id)
            self._policy.check_spec(ctx, self.app_spec(record.id, record.revision))
        self.host.emit(AppStatusChanged(record.id, U8(status)))
        self._save(ctx, record.but(status=status))
        if status is AppStatus.ACTIVE:
            self._secrets.app_woke(ctx, record.id)

    def _save(self, ctx: Context, record: App) -> None:
        self.state.apps.set(record.id, record)
        self._market.app_changed(ctx, record.id)
