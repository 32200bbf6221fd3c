"""What can go wrong between a client and a chain, each saying whether trying again can help."""

from flux.kernel.errors import Revert
from flux.primitives.types import Hash


class ClientError(Exception):
    """Base of everything the SDK raises."""

    retry = False
    """Whether the same request may succeed later."""


class Unreachable(ClientError):
    """No answer from the RPC endpoint."""

    retry = True

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"{url} does not answer ({reason}); is the chain running? `flux status` tells, FLUX_RPC selects"
        )
        self.url = url
        self.reason = reason


class AgentUnreachable(Unreachable):
    """No answer from a node's agent."""


class RpcError(ClientError):
    """The endpoint answered with a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class Refused(ClientError):
    """A contract refused the call: the typed error with its facts."""

    def __init__(self, revert: Revert, sentence: str) -> None:
        super().__init__(sentence)
        self.revert = revert


class Failed(ClientError):
    """A transaction is in a block with status 0 and no known error (out of gas, or an error this SDK does not know)."""

    def __init__(self, transaction: Hash, reason: str) -> None:
        super().__init__(f"transaction 0x{transaction.hex()} failed: {reason}")
        self.transaction = transaction


class Dropped(ClientError):
    """The chain took a transaction and dropped it when its turn came: something else had changed what it needs."""

    retry = True

    def __init__(self, transaction: Hash, reason: str) -> None:
        super().__init__(f"transaction 0x{transaction.hex()} was dropped when its turn came: {reason}")
        self.transaction = transaction
        self.reason = reason


class NotIncluded(ClientError):
    """A transaction did not reach a block in time; it may still."""

    retry = True

    def __init__(self, transaction: Hash, seconds: float) -> None:
        super().__init__(f"transaction 0x{transaction.hex()} is in no block after {seconds:g} s; it may still come")
        self.transaction = transaction
