"""JSON-RPC 2.0 as clients write and read it, whatever carries it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from flux.sdk.errors import RpcError

Call = tuple[str, Sequence[object]]
"""A method and its parameters."""
INTERNAL_ERROR = -32603
"""Of the specification: what is said of an answer that is none."""


class JsonRpc(ABC):
    """Calls of one endpoint, numbered. Raises RpcError for an error answer, and what `_post` raises."""

    def __init__(self) -> None:
        self._next_id = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """The endpoint."""

    @abstractmethod
    async def _post(self, body: object) -> Any:
        """Send a document and read the one that answers it."""

    async def request(self, method: str, *params: object) -> Any:
        """One call and its result."""
        self._next_id += 1
        return result_of(await self._post(request_body(self._next_id, (method, params))))

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Many calls in one request; results in order. Raises the first error."""
        if not calls:
            return []
        first = self._next_id + 1
        self._next_id += len(calls)
        answers = await self._post([request_body(first + index, call) for index, call in enumerate(calls)])
        if not isinstance(answers, list):
            result_of(answers)
            raise RpcError(INTERNAL_ERROR, f"{self.url} answered a batch with a single object")
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        return [result_of(by_id.get(first + index)) for index in range(len(calls))]


def request_body(identity: int, call: Call) -> dict[str, object]:
    """One request."""
    method, params = call
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def result_of(answer: Any) -> Any:
    """The result in an answer. Raises RpcError."""
    if not isinstance(answer, dict):
        raise RpcError(INTERNAL_ERROR, "the endpoint left a request without an answer")
    if (error := answer.get("error")) is not None:
        raise RpcError(
            int(error.get("code", INTERNAL_ERROR)), str(error.get("message", "unknown error")), error.get("data")
        )
    return answer.get("result")
