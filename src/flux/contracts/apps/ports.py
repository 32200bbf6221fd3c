"""What the apps contract needs of others."""

from collections.abc import Sequence
from typing import Protocol

from flux.contracts.apps.types import App, AppId, AppSpec, Revision
from flux.kernel.context import Context
from flux.primitives.types import U16, Address, Wei


class MarketPort(Protocol):
    """The market, which runs instances."""

    def app_deployed(self, ctx: Context, app: App) -> None:
        """Told of every new app; has its instances placed."""
        ...

    def app_changed(self, ctx: Context, app: AppId) -> None:
        """Told after every later change of an app's record; opens and closes instances and leases to match."""
        ...

    def revision_changed(self, ctx: Context, app: AppId, before: Revision) -> None:
        """Told after the owner gave an app another revision, before `app_changed`: a rollout begins."""
        ...

    def revisions_in_use(self, ctx: Context, app: AppId) -> Sequence[Revision]:
        """Revisions that an open lease runs or a rollout may go back to."""
        ...

    def revisions_leased(self, ctx: Context, app: AppId) -> Sequence[Revision]:
        """Revisions that an open lease runs."""
        ...


class EscrowPort(Protocol):
    """The escrow, which holds the app's money."""

    def open(self, ctx: Context, app: AppId, payer: Address, amount: Wei, spec: AppSpec, instances: U16) -> None:
        """Open the account with money that was moved to the escrow. Raises DepositTooSmall."""
        ...

    def quote_of(self, ctx: Context, spec: AppSpec, instances: U16) -> Wei:
        """The smallest first deposit."""
        ...

    def check_covers(self, ctx: Context, app: AppId, spec: AppSpec, instances: U16) -> None:
        """Raises BalanceTooLow unless the balance is as large as the smallest first deposit."""
        ...

    def check_can_start(self, ctx: Context, app: AppId, spec: AppSpec, instances: U16) -> None:
        """Raises BalanceTooLow unless the balance pays for placing the instances."""
        ...

    def close(self, ctx: Context, app: AppId) -> None:
        """Settle and refund."""
        ...


class PolicyPort(Protocol):
    """The denylist, kept by votes."""

    def check_spec(self, ctx: Context, spec: AppSpec) -> None:
        """Raises ImageIsDenied for an image that may not run."""
        ...

    def check_app(self, ctx: Context, app: AppId) -> None:
        """Raises AppIsDenied for an app that may not run."""
        ...


class SecretsPort(Protocol):
    """The secrets, which keep the private half."""

    def publish(self, ctx: Context, app: AppId, revision: Revision, ciphertext: bytes) -> None:
        """Keep the ciphertext of a revision."""
        ...

    def app_woke(self, ctx: Context, app: AppId) -> None:
        """Told that an app that was paused or out of money is active again."""
        ...

    def drop(self, ctx: Context, app: AppId, revision: Revision) -> None:
        """Forget the ciphertext of a revision, if there is one."""
        ...
