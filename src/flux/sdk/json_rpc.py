"""JSON-RPC 2.0 as clients write and read it, whatever carries it."""

from collections.abc import Sequence
from typing import Any

from flux.sdk.errors import RpcError

Call = tuple[str, Sequence[object]]
"""A method and its parameters."""


def request_body(identity: int, call: Call) -> dict[str, object]:
    """One request."""
    method, params = call
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def batch_body(first: int, calls: Sequence[Call]) -> list[dict[str, object]]:
    """Many requests, with ids from `first` on."""
    return [request_body(first + index, call) for index, call in enumerate(calls)]


def result_of(answer: Any) -> Any:
    """The result in an answer. Raises RpcError."""
    if not isinstance(answer, dict):
        raise RpcError(-32603, "the endpoint left a request without an answer")
    if (error := answer.get("error")) is not None:
        raise RpcError(int(error.get("code", -32603)), str(error.get("message", "unknown error")), error.get("data"))
    return answer.get("result")


def results_of(answers: Any, first: int, count: int, url: str) -> list[Any]:
    """The results of a batch in the order of its calls. Raises the first RpcError."""
    if isinstance(answers, dict):
        result_of(answers)
        raise RpcError(-32603, f"{url} answered a batch with a single object")
    by_id = {answer.get("id"): answer for answer in answers}
    return [result_of(by_id.get(first + index)) for index in range(count)]
