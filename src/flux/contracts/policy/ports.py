"""What the policy needs of others."""

from collections.abc import Sequence
from typing import Protocol

from flux.contracts.apps.types import App, AppId, AppSpec
from flux.kernel.context import Context


class AppsPort(Protocol):
    """The apps, which a denial may close."""

    def app(self, ctx: Context, app: AppId) -> App:
        """The record. Raises UnknownApp."""
        ...

    def specs_to_run(self, ctx: Context, app: AppId) -> Sequence[AppSpec]:
        """Of the current revision, and of others that still have a lease."""
        ...

    def close_denied(self, ctx: Context, app: AppId) -> None:
        """End an open app as its owner would."""
        ...
