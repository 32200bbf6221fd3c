"""JSON-RPC 2.0: bytes in, bytes out. Parsing, batches and their limits, error objects; methods are in tables.

Whatever comes in, a well-formed answer goes out: this is the one place that catches everything, and logs what it did
not expect. Results are encoded one by one, so that the size of an answer is bounded while it is made.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import msgspec
import structlog

from flux.chain.transaction_errors import TransactionError
from flux.primitives.nesting import MAX_DEPTH, is_too_deep
from flux.rpc import parameters
from flux.rpc.errors import (
    INTERNAL_ERROR,
    RESPONSE_TOO_LARGE,
    TIMED_OUT,
    ErrorNames,
    RpcError,
    invalid_params,
    invalid_request,
    method_not_found,
    parse_error,
    translated,
)
from flux.rpc.intake import Intake, Outcome
from flux.rpc.methods import Place, Table, parse_arguments
from flux.rpc.workers import Pool

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_log = structlog.get_logger(__name__)

_SEND = "eth_sendRawTransaction"
_ID_LIMIT = 1 << 63
_LONGEST_ID = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request, or one connection, may cost."""

    body: int = 5 * 1024 * 1024
    """Bytes of a request."""
    batch: int = 1_000
    """Requests in a batch."""
    response: int = 25 * 1024 * 1024
    """Bytes of a batch's results; what comes after is refused."""
    seconds: float = 30
    """Until the reads of a batch that have not begun are refused."""
    body_seconds: float = 30
    """For a client to send its whole request over HTTP."""
    in_flight: int = 64
    """Requests of one WebSocket being answered; the next is read when one of them is done."""
    subscriptions: int = 128
    """Of one WebSocket."""
    queued: int = 64 * 1024 * 1024
    """Bytes that wait for a WebSocket client who reads slowly; then the connection is closed."""


class Connection(Protocol):
    """A client that can be told things later: a WebSocket."""

    def subscribe(self, params: Sequence[object]) -> str: ...
    def unsubscribe(self, params: Sequence[object]) -> bool: ...


@dataclass(slots=True)
class _Call:
    """One well-formed request."""

    id: bytes | None
    """Encoded; None for a notification, which gets no answer."""
    method: str
    params: Sequence[object]


class Dispatcher:
    """Answers requests from a table of methods."""

    def __init__(
        self, table: Table, intake: Intake, reads: Pool, scans: Pool, error_names: ErrorNames, limits: Limits
    ) -> None:
        self._table = table
        self._intake = intake
        self._pools = {Place.READ: reads, Place.SCAN: scans}
        self._names = error_names
        self.limits = limits

    async def handle(self, body: bytes, connection: Connection | None = None) -> bytes:
        """The answer to a request or a batch; empty when nothing is to be answered."""
        if len(body) > self.limits.body:
            return self._failure(b"null", invalid_request(f"request too large: at most {self.limits.body} bytes"))
        if is_too_deep(body):
            return self._failure(b"null", parse_error(f"nested deeper than {MAX_DEPTH}"))
        try:
            message = _decode(body)
        except (msgspec.MsgspecError, ValueError) as error:
            return self._failure(b"null", parse_error(str(error)))
        if isinstance(message, list):
            return await self._batch(message, connection)
        call = self._read(message)
        if isinstance(call, bytes):
            return call
        return await self._single(call, connection)

    async def _single(self, call: _Call, connection: Connection | None) -> bytes:
        try:
            begun = self._begin(call, connection)
            result = begun if isinstance(begun, bytes) else await begun
        except Exception as error:  # noqa: BLE001 - the border: whatever happened, the client gets an answer
            return self._answer_error(call, error)
        return self._success(call, result)

    def _begin(self, call: _Call, connection: Connection | None) -> bytes | Awaitable[bytes]:
        """The encoded result at once, or what to wait for."""
        method = self._table.get(call.method)
        if method is None:
            return self._special(call, connection)
        arguments = method.arguments(call.params)
        if method.place is Place.INLINE:
            return _encode(method.handler(*arguments))
        return self._pools[method.place].run(lambda: _encode(method.handler(*arguments)))

    def _special(self, call: _Call, connection: Connection | None) -> bytes | Awaitable[bytes]:
        """Methods that need the intake or the connection."""
        match call.method:
            case "eth_sendRawTransaction":
                return self._sent(self._send(call))
            case "eth_subscribe" | "eth_unsubscribe" if connection is None:
                raise RpcError(-32000, "notifications not supported: connect by WebSocket to subscribe")
            case "eth_subscribe" if connection is not None:
                return _encode(connection.subscribe(call.params))
            case "eth_unsubscribe" if connection is not None:
                return _encode(connection.unsubscribe(call.params))
        raise method_not_found(call.method)

    def _send(self, call: _Call) -> "asyncio.Future[Outcome]":
        (raw,) = parse_arguments(call.params, (parameters.data,), 1)
        assert isinstance(raw, bytes)
        return self._intake.submit(raw)

    async def _sent(self, future: "asyncio.Future[Outcome]") -> bytes:
        outcome = await future
        if isinstance(outcome, TransactionError):
            raise outcome
        return b'"0x%b"' % outcome.hex().encode()

    async def _batch(self, messages: list[object], connection: Connection | None) -> bytes:
        if not messages:
            return self._failure(b"null", invalid_request("empty batch"))
        if len(messages) > self.limits.batch:
            return self._failure(b"null", invalid_request(f"batch too large: at most {self.limits.batch} requests"))
        answers: list[bytes] = [b""] * len(messages)
        sent: list[tuple[int, _Call, asyncio.Future[Outcome]]] = []
        slow: dict[Place, list[tuple[int, _Call]]] = {}
        budget = _Budget(self.limits)
        for index, message in enumerate(messages):
            call = self._read(message)
            if isinstance(call, bytes):
                answers[index] = call
                continue
            try:
                if call.method == _SEND:
                    sent.append((index, call, self._send(call)))
                elif (method := self._table.get(call.method)) is not None and method.place is not Place.INLINE:
                    slow.setdefault(method.place, []).append((index, call))
                else:
                    result = self._begin(call, connection)
                    assert isinstance(result, bytes), "only sending and slow methods are waited for"
                    answers[index] = self._success(call, budget.take(result))
            except Exception as error:  # noqa: BLE001 - one failed request must not take the batch with it
                answers[index] = self._answer_error(call, error)
        for place, calls in slow.items():
            for index, answer in await self._run_together(place, calls, budget):
                answers[index] = answer
        for index, call, future in sent:
            try:
                answers[index] = self._success(call, await self._sent(future))
            except Exception as error:  # noqa: BLE001 - as above
                answers[index] = self._answer_error(call, error)
        return self._joined(answers)

    async def _run_together(
        self, place: Place, calls: list[tuple[int, _Call]], budget: "_Budget"
    ) -> list[tuple[int, bytes]]:
        """All slow requests of one kind in a batch take one thread and one turn."""

        def run() -> list[tuple[int, bytes]]:
            return [(index, self._slow(call, budget)) for index, call in calls]

        try:
            return await self._pools[place].run(run)
        except RpcError as error:
            return [(index, self._answer_error(call, error)) for index, call in calls]

    def _slow(self, call: _Call, budget: "_Budget") -> bytes:
        try:
            budget.check_time()
            method = self._table[call.method]
            return self._success(call, budget.take(_encode(method.handler(*method.arguments(call.params)))))
        except Exception as error:  # noqa: BLE001 - one failed request must not take the batch with it
            return self._answer_error(call, error)

    def _read(self, message: object) -> _Call | bytes:
        """The request in a decoded message, or the answer that it gets for not being one."""
        if not isinstance(message, dict):
            return self._failure(b"null", invalid_request())
        identity: bytes | None = None
        if "id" in message:
            given = message["id"]
            if not _is_id(given):
                return self._failure(b"null", invalid_request("invalid request: id must be a string or a number"))
            identity = _encode(given)
        method, params = message.get("method"), message.get("params")
        if message.get("jsonrpc") != "2.0" or not isinstance(method, str):
            reason = "invalid request: jsonrpc must be 2.0 and method a string"
            return self._failure(identity or b"null", invalid_request(reason))
        if params is None:
            params = []
        if not isinstance(params, list):
            return self._failure(identity or b"null", invalid_params("non-array args"))
        return _Call(identity, method, params)

    def _success(self, call: _Call, result: bytes) -> bytes:
        if call.id is None:
            return b""
        return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (call.id, result)

    def _answer_error(self, call: _Call, error: Exception) -> bytes:
        known = translated(error, self._names)
        if known is None:
            _log.error("request failed", method=call.method, exc_info=error)
            known = RpcError(INTERNAL_ERROR, "internal error; the node's log has the reason")
        return b"" if call.id is None else self._failure(call.id, known)

    def _failure(self, identity: bytes, error: RpcError) -> bytes:
        return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (identity, _encode(error.to_json()))

    @staticmethod
    def _joined(answers: Sequence[bytes]) -> bytes:
        content = b",".join([answer for answer in answers if answer])
        return b"[" + content + b"]" if content else b""


class _Budget:
    """What a batch has left of time and answer."""

    __slots__ = ("_deadline", "_left")

    def __init__(self, limits: Limits, clock: Callable[[], float] = monotonic) -> None:
        self._left = limits.response
        self._deadline = clock() + limits.seconds

    def take(self, result: bytes) -> bytes:
        """The result, if there is room for it."""
        self._left -= len(result)
        if self._left < 0:
            raise RpcError(RESPONSE_TOO_LARGE, "response too large: ask for less in one batch")
        return result

    def check_time(self) -> None:
        """Raise when the time is over."""
        if monotonic() > self._deadline:
            raise RpcError(TIMED_OUT, "request timed out: the batch takes too long, ask for less at a time")


def _is_id(given: object) -> bool:
    match given:
        case bool():
            return False
        case None | float():
            return True
        case int():
            return -_ID_LIMIT <= given < _ID_LIMIT
        case str():
            return len(given) <= _LONGEST_ID
    return False
