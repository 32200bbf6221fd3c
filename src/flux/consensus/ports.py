"""What every consensus engine is to the rest of a node: it drives the application, and nothing else makes blocks."""

from types import TracebackType
from typing import Protocol, Self


class Engine(Protocol):
    """Decides which block comes next and has the application compute and commit it."""

    name: str
    """As people write it: solo, cometbft."""

    def notify(self) -> None:
        """A transaction was admitted. Callable from any thread."""
        ...

    async def run(self) -> None:
        """Make blocks until `stop`. Raises what makes going on impossible."""
        ...

    async def wait(self) -> None:
        """Until it ends. Raises what made going on impossible."""
        ...

    async def stop(self) -> None:
        """Finish the block in progress and end `run`. Stopping twice is harmless."""
        ...

    async def __aenter__(self) -> Self:
        """Run in the background."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
