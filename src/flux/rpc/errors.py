"""What a client is told when a request fails: codes and words as go-ethereum's, and the translation of our own errors.

Everything the chain raises is turned into an RpcError in one place, `translated`; what it does not know is a bug.
"""

from collections.abc import Mapping

from flux.chain.history import HistoryPruned, StateUnavailable
from flux.chain.logs import LogQueryTooLarge
from flux.chain.transaction_errors import EXECUTION_REVERTED, SERVER_ERROR, TransactionError
from flux.primitives.hexadecimal import to_hex

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
TIMED_OUT = -32002
RESPONSE_TOO_LARGE = -32003
LIMIT_EXCEEDED = -32005
NOT_VERIFIABLE = -32020
"""There are no signatures of validators that a light client could check."""
PRUNED = 4444
"""As go-ethereum answers for history that it no longer has (EIP-4444)."""

ErrorNames = Mapping[bytes, str]
"""Names of the contracts' custom errors by selector."""


class RpcError(Exception):
    """A JSON-RPC error object."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def to_json(self) -> dict[str, object]:
        """The `error` member of a response."""
        body: dict[str, object] = {"code": self.code, "message": self.message}
        if self.data is not None:
            body["data"] = self.data
        return body


class InvalidParameter(ValueError):
    """One parameter of a request is not what it must be; the text says what was expected."""


def parse_error(reason: str) -> RpcError:
    """The body is not JSON."""
    return RpcError(PARSE_ERROR, f"parse error: {reason}")


def invalid_request(reason: str = "invalid request") -> RpcError:
    """JSON, but not a JSON-RPC request."""
    return RpcError(INVALID_REQUEST, reason)


def invalid_params(reason: str) -> RpcError:
    """The parameters do not fit the method."""
    return RpcError(INVALID_PARAMS, reason)


def method_not_found(name: str) -> RpcError:
    """No such method."""
    return RpcError(METHOD_NOT_FOUND, f"the method {name[:100]} does not exist/is not available")


def header_not_found() -> RpcError:
    """A block that a state query names does not exist (yet)."""
    return RpcError(SERVER_ERROR, "header not found")


def limit_exceeded(reason: str) -> RpcError:
    """More than the node does at a time for one client; smaller or later requests pass."""
    return RpcError(LIMIT_EXCEEDED, reason)


def reverted(data: bytes, names: ErrorNames) -> RpcError:
    """A contract refused; the message names its custom error when it is known."""
    name = names.get(data[:4])
    message = "execution reverted" if name is None else f"execution reverted: {name}"
    return RpcError(EXECUTION_REVERTED, message, to_hex(data))


def translated(error: Exception, names: ErrorNames) -> RpcError | None:
    """The JSON-RPC form of an error that a client can cause; None for a bug."""
    match error:
        case RpcError():
            return error
        case TransactionError(code=code, data=bytes(data)) if code == EXECUTION_REVERTED:
            return reverted(data, names)
        case TransactionError():
            return RpcError(error.code, str(error))
        case InvalidParameter():
            return invalid_params(str(error))
        case LogQueryTooLarge():
            return limit_exceeded(str(error))
        case StateUnavailable():
            return RpcError(SERVER_ERROR, str(error))
        case HistoryPruned():
            return RpcError(PRUNED, str(error), {"first": hex(error.first)})
    return None
