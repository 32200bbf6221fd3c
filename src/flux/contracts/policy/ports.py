"""What the policy needs of others."""

from typing import Protocol

from flux.contracts.apps.types import App, AppId, AppSpec, Revision
from flux.kernel.context import Context


class AppsPort(Protocol):
    """The apps, which a denial may close."""

    def app(self, ctx: Context, app: AppId) -> App:
        """The record. Raises UnknownApp."""
        ...

    def app_spec(self, app: AppId, revision: Revision) -> AppSpec:
        """The spec of a revision that is kept."""
        ...

    def close_denied(self, ctx: Context, app: AppId) -> None:
        """End an open app as its owner would."""
        ...
