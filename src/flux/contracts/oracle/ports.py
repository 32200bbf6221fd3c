"""What the oracle needs of others."""

from typing import Protocol

from flux.kernel.context import Context


class EscrowPort(Protocol):
    """The escrow, which has accounts that pay in dollars."""

    def price_changed(self, ctx: Context) -> None:
        """Told that the meter runs at another pace from now on."""
        ...
