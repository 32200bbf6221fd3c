"""Policy: what may not run. The denylist moves by vote only; what runs already gets notice, and one appeal."""

from itertools import islice

from flux.contracts.addresses import POLICY
from flux.contracts.apps.types import AppId, AppSpec, AppStatus
from flux.contracts.policy import rules
from flux.contracts.policy.ports import AppsPort
from flux.contracts.policy.state import PolicyState
from flux.contracts.policy.types import (
    AlreadyAppealed,
    AlreadyDenied,
    AppAllowed,
    AppClosedByPolicy,
    AppDenied,
    AppIsDenied,
    Denial,
    DenialAppealed,
    ImageAllowed,
    ImageDenied,
    ImageIsDenied,
    NotAppOwner,
    NotDenied,
    NotYetEnforced,
    PolicyParams,
    ReasonTooLong,
)
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, scheduled, view
from flux.primitives.types import U64, ChainTime, Hash

ENFORCEMENT = 1


class Policy(Contract):
    """The denylist of the network, kept by votes."""

    name = "Policy"
    address = POLICY
    events = (ImageDenied, AppDenied, ImageAllowed, AppAllowed, DenialAppealed, AppClosedByPolicy)
    errors = (
        ImageIsDenied,
        AppIsDenied,
        NotDenied,
        AlreadyDenied,
        NotYetEnforced,
        AlreadyAppealed,
        ReasonTooLong,
        NotAppOwner,
    )

    def __init__(self, host: Host, params: PolicyParams, apps: AppsPort) -> None:
        super().__init__(host)
        self.params = params
        self.state = PolicyState(host.storage)
        self._apps = apps

    @method(gas=60_000, governed=True)
    def deny_image(self, ctx: Context, digest: Hash, reason: str) -> None:
        """No app starts with this image any more. Raises AlreadyDenied, ReasonTooLong."""
        if digest in self.state.images:
            raise AlreadyDenied()
        denial = self._denial(ctx, reason)
        self.state.images.set(digest, denial)
        self.host.emit(ImageDenied(digest, denial.enforced_from, reason))

    @method(gas=60_000, governed=True)
    def allow_image(self, ctx: Context, digest: Hash) -> None:
        """Lift the denial of an image. Raises NotDenied."""
        if digest not in self.state.images:
            raise NotDenied()
        self.state.images.delete(digest)
        self.host.emit(ImageAllowed(digest))

    @method(gas=60_000, governed=True)
    def deny_app(self, ctx: Context, app: AppId, reason: str) -> None:
        """An app may not run; it closes by itself after the notice. Raises UnknownApp, AlreadyDenied, ReasonTooLong."""
        self._apps.app(ctx, app)
        if app in self.state.apps:
            raise AlreadyDenied()
        denial = self._denial(ctx, reason)
        self.state.apps.set(app, denial)
        self.host.schedule(denial.enforced_from, ENFORCEMENT, app)
        self.host.emit(AppDenied(app, denial.enforced_from, reason))

    @method(gas=60_000, governed=True)
    def allow_app(self, ctx: Context, app: AppId) -> None:
        """Lift the denial of an app that has not been closed. Raises NotDenied."""
        denial = self.state.apps.find(app)
        if denial is None:
            raise NotDenied()
        self.host.unschedule(denial.enforced_from, ENFORCEMENT, app)
        self.state.apps.delete(app)
        self.host.emit(AppAllowed(app))

    @method(gas=60_000)
    def appeal(self, ctx: Context, app: AppId, statement: str) -> None:
        """Ask the voters to think again, once per denial of the app or of one of its images; enforcement waits.

        Raises UnknownApp, NotAppOwner, NotDenied, AlreadyAppealed, ReasonTooLong.
        """
        record = self._apps.app(ctx, app)
        if record.owner != ctx.sender:
            raise NotAppOwner(app, record.owner)
        self._check_text(statement)
        if record.status is AppStatus.CLOSED:
            raise NotDenied()
        own = self.state.apps.find(app)
        if own is not None:
            later = self._appealed(own)
            self.host.unschedule(own.enforced_from, ENFORCEMENT, app)
            self.host.schedule(later.enforced_from, ENFORCEMENT, app)
            self.state.apps.set(app, later)
        else:
            digest, denial = self._denied_image(ctx, app)
            later = self._appealed(denial)
            self.state.images.set(digest, later)
        self.host.emit(DenialAppealed(app, later.enforced_from, statement))

    @method(gas=120_000)
    def enforce(self, ctx: Context, app: AppId) -> None:
        """Close an app that is denied, or runs a denied image, once its notice is over; anybody may.

        Raises UnknownApp, NotDenied, NotYetEnforced.
        """
        record = self._apps.app(ctx, app)
        if record.status is AppStatus.CLOSED:
            raise NotDenied()
        denial = self.state.apps.find(app)
        if denial is None:
            _, denial = self._denied_image(ctx, app)
        if ctx.now < denial.enforced_from:
            raise NotYetEnforced(app, denial.enforced_from)
        self._close(ctx, app, denial)

    @view()
    def image_denial(self, ctx: Context, digest: Hash) -> Denial:
        """The denial of an image; `since` is 0 when there is none."""
        return self.state.images.find(digest) or rules.NOTHING

    @view()
    def app_denial(self, ctx: Context, app: AppId) -> Denial:
        """The denial of an app; `since` is 0 when there is none."""
        return self.state.apps.find(app) or rules.NOTHING

    @view(gas=50_000)
    def denied_images(self, ctx: Context, start: Hash) -> list[Hash]:
        """Digests that are denied, in order from `start` on; at most 1,000."""
        return [digest for digest, _ in islice(self.state.images.items(start=start), rules.MAX_PAGE)]

    @view(gas=50_000)
    def denied_apps(self, ctx: Context, start: AppId) -> list[AppId]:
        """Apps that are denied, in order from `start` on; at most 1,000."""
        found = self.state.apps.items(start=start.to_bytes(8, "big"))
        return [app for app, _ in islice(found, rules.MAX_PAGE)]

    def check_spec(self, ctx: Context, spec: AppSpec) -> None:
        """For apps: none of the images is denied. Raises ImageIsDenied."""
        for digest in rules.images_of(spec):
            if (denial := self.state.images.find(digest)) is not None:
                raise ImageIsDenied(digest, denial.reason)

    def check_app(self, ctx: Context, app: AppId) -> None:
        """For apps: the app is not denied. Raises AppIsDenied."""
        if (denial := self.state.apps.find(app)) is not None:
            raise AppIsDenied(app, denial.reason)

    @scheduled(ENFORCEMENT)
    def enforce_by_itself(self, ctx: Context, subject: int) -> None:
        """The notice of a denied app is over."""
        app = AppId(U64(subject))
        denial = self.state.apps.find(app)
        if denial is not None and self._apps.app(ctx, app).status is not AppStatus.CLOSED:
            self._close(ctx, app, denial)

    def _close(self, ctx: Context, app: AppId, denial: Denial) -> None:
        self._apps.close_denied(ctx, app)
        self.host.emit(AppClosedByPolicy(app, denial.reason))

    def _denied_image(self, ctx: Context, app: AppId) -> tuple[Hash, Denial]:
        """Of what nodes run or should run: a revision that never comes hides nothing of the one that stays."""
        for spec in self._apps.specs_to_run(ctx, app):
            for digest in rules.images_of(spec):
                if (denial := self.state.images.find(digest)) is not None:
                    return digest, denial
        raise NotDenied()

    def _denial(self, ctx: Context, reason: str) -> Denial:
        self._check_text(reason)
        return Denial(ctx.now, ChainTime(U64(ctx.now + self.params.notice)), False, reason)

    def _appealed(self, denial: Denial) -> Denial:
        if denial.appealed:
            raise AlreadyAppealed()
        return denial.but(enforced_from=ChainTime(U64(denial.enforced_from + self.params.appeal)), appealed=True)

    def _check_text(self, text: str) -> None:
        if not 1 <= len(text.encode()) <= self.params.max_reason_bytes:
            raise ReasonTooLong(self.params.max_reason_bytes)
