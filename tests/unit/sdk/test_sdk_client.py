"""The client over a scripted endpoint: nonces, refusals as typed errors, receipts."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from flux.contracts import addresses
from flux.contracts.apps.types import AppId, UnknownApp
from flux.contracts.market.types import LeaseRunning
from flux.kernel.events import event_codec
from flux.kernel.revert_data import encode_error
from flux.primitives.hexadecimal import to_hex
from flux.primitives.types import U64
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.client import FluxClient
from flux.sdk.errors import Dropped, Failed, NotIncluded, Refused, RpcError
from flux.sdk.known import find_error, find_event, sentence
from flux.sdk.signer import LocalSigner

SIGNER = LocalSigner(b"\x22" * 32)
ANSWERS: dict[str, Any] = {
    "eth_chainId": "0x4ae1",
    "eth_estimateGas": "0x5208",
    "eth_gasPrice": "0x3b9aca00",
    "eth_maxPriorityFeePerGas": "0x0",
    "eth_getTransactionCount": "0x7",
    "eth_sendRawTransaction": "0x00",
    "flux_transactionStatus": {"status": "unknown"},
}


class ScriptedTransport:
    """Answers by method; an exception is raised, a list is worked off."""

    url = "http://scripted"

    def __init__(self, **answers: Any) -> None:
        self.answers = {**ANSWERS, **answers}
        self.calls: list[tuple[str, tuple[object, ...]]] = []

    async def request(self, method: str, *params: object) -> Any:
        self.calls.append((method, params))
        answer = self.answers[method]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        return [await self.request(method, *params) for method, params in calls]

    async def subscribe(self, *params: object) -> AsyncIterator[Any]:
        for item in self.answers["eth_subscribe"]:
            yield item


def receipt(status: int, **more: Any) -> dict[str, Any]:
    return {
        "transactionHash": to_hex(bytes(32)), "blockNumber": "0x5", "gasUsed": "0x10", "effectiveGasPrice": "0x3",
        "status": hex(status), "logs": [], **more,
    }  # fmt: skip


def count(transport: ScriptedTransport, method: str) -> int:
    return sum(name == method for name, _ in transport.calls)


async def test_nonces_are_asked_once_and_then_counted() -> None:
    transport = ScriptedTransport()
    client = FluxClient(transport)
    await client.send(SIGNER, addresses.TREASURY)
    await client.send(SIGNER, addresses.TREASURY)
    assert count(transport, "eth_getTransactionCount") == 1
    assert count(transport, "eth_sendRawTransaction") == 2


@pytest.mark.parametrize("words", ["nonce too low", "already known"])
async def test_a_transaction_that_arrived_before_its_answer_was_lost_is_not_sent_under_another_nonce(
    words: str,
) -> None:
    transport = ScriptedTransport(
        eth_sendRawTransaction=RpcError(-32000, words), flux_transactionStatus={"status": "committed"}
    )
    await FluxClient(transport).send(SIGNER, addresses.TREASURY)
    assert count(transport, "eth_sendRawTransaction") == 1


async def test_a_nonce_that_somebody_else_used_is_asked_anew() -> None:
    transport = ScriptedTransport(eth_sendRawTransaction=[RpcError(-32000, "nonce too low"), "0x00"])
    await FluxClient(transport).send(SIGNER, addresses.TREASURY)
    assert count(transport, "eth_getTransactionCount") == 2


async def test_any_other_refusal_of_the_pool_is_raised_at_once() -> None:
    transport = ScriptedTransport(eth_sendRawTransaction=RpcError(-32000, "insufficient funds"))
    with pytest.raises(RpcError, match="insufficient funds"):
        await FluxClient(transport).send(SIGNER, addresses.TREASURY)
    assert count(transport, "eth_sendRawTransaction") == 1


async def test_a_lane_report_pays_nothing_and_asks_no_price() -> None:
    transport = ScriptedTransport(eth_getTransactionReceipt=receipt(1))
    await Nodes(FluxClient(transport)).activate(SIGNER)
    assert count(transport, "eth_estimateGas") == 0


async def test_a_refused_call_is_the_contracts_typed_error_in_a_sentence() -> None:
    data = to_hex(encode_error(UnknownApp(AppId(U64(9)))))
    transport = ScriptedTransport(eth_call=RpcError(3, "execution reverted", data))
    with pytest.raises(Refused, match=r"There is no app 9\.") as caught:
        await Apps(FluxClient(transport)).app(AppId(U64(9)))
    assert isinstance(caught.value.revert, UnknownApp)


async def test_a_receipt_is_awaited_and_its_events_are_typed() -> None:
    event = LeaseRunning(lease=3, app=4, node=5)  # type: ignore[arg-type]
    log = event_codec(LeaseRunning).encode(addresses.MARKET, event)
    json_log = {"address": to_hex(log.address), "topics": [to_hex(t) for t in log.topics], "data": to_hex(log.data)}
    transport = ScriptedTransport(eth_getTransactionReceipt=[None, None, receipt(1, logs=[json_log])])
    found = await FluxClient(transport).wait(bytes(32))  # type: ignore[arg-type]
    assert found.events() == [event]
    assert found.fee == 0x30


@pytest.mark.parametrize(
    ("data", "error"),
    [("0x", Failed), ("0x12345678", Failed), (to_hex(encode_error(UnknownApp(AppId(U64(9))))), Refused)],
)
async def test_a_failed_transaction_says_why(data: str, error: type[Exception]) -> None:
    transport = ScriptedTransport(eth_getTransactionReceipt=receipt(0, revertData=data))
    with pytest.raises(error):
        await FluxClient(transport).wait(bytes(32))  # type: ignore[arg-type]


async def test_a_transaction_that_stays_out_is_reported_as_such() -> None:
    transport = ScriptedTransport(eth_getTransactionReceipt=None)
    with pytest.raises(NotIncluded):
        await FluxClient(transport).wait(bytes(32), seconds=0.01)  # type: ignore[arg-type]


async def test_a_dropped_transaction_is_reported_soon_and_its_nonce_used_again() -> None:
    dropped = {"status": "dropped", "reason": "AlreadyReported"}
    transport = ScriptedTransport(eth_getTransactionReceipt=None, flux_transactionStatus=dropped)
    client = FluxClient(transport)
    with pytest.raises(Dropped, match="AlreadyReported"):
        await client.wait(await client.send(SIGNER, addresses.TREASURY))
    await client.send(SIGNER, addresses.TREASURY)
    assert count(transport, "eth_getTransactionCount") == 2
    assert count(transport, "eth_getTransactionReceipt") < 20


async def test_a_transaction_that_still_waits_is_waited_for() -> None:
    transport = ScriptedTransport(
        eth_getTransactionReceipt=[None] * 12 + [receipt(1)], flux_transactionStatus={"status": "pending"}
    )
    assert (await FluxClient(transport).wait(bytes(32))).block == 5  # type: ignore[arg-type]


def test_unknown_data_is_no_error_and_no_event_of_ours() -> None:
    assert find_error(b"") is None
    assert find_error(b"\x01\x02\x03\x04") is None
    assert find_event([], b"") is None


def test_every_error_of_the_protocol_has_a_sentence() -> None:
    from flux.sdk.known import errors_by_selector

    for error in errors_by_selector().values():
        assert error.__doc__, error.__name__
        names = list(error.__dataclass_fields__)  # type: ignore[attr-defined]
        assert sentence(error(*[1 for _ in names]))
