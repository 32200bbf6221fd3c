"""What the RPC needs of the consensus engine, whichever it is."""

from typing import Protocol


class Engine(Protocol):
    """Makes blocks."""

    @property
    def name(self) -> str:
        """As people write it: solo, cometbft."""
        ...

    def notify(self) -> None:
        """A transaction was admitted."""
        ...
