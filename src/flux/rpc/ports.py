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


class LightBlocks(Protocol):
    """Where `flux_lightBlock` gets what a light client verifies; an engine whose blocks many sign has one."""

    def light_block(self, height: int | None) -> dict[str, object]:
        """`signed_header` and `validators` of a height (None: the newest committed) as CometBFT's RPC writes them.

        Raises LookupError, with a sentence for the client, when there is none. Blocks; called in a worker thread.
        """
        ...

    def peers(self) -> list[dict[str, object]]:
        """`id`, `host` (null: where the client reached this node) and `port` of nodes that take connections.

        Like `light_block` it blocks and may raise LookupError.
        """
        ...
