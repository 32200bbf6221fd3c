"""The client for everybody: reads, transactions with their receipts, new heads. Typed wrappers are in `bindings/`."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from flux.kernel.events import Event, Log, event_codec
from flux.primitives.hexadecimal import from_hex, quantity, to_hex
from flux.primitives.types import NO_WEI, U64, U256, Address, Gas, Hash, Height, Nonce, Timestamp, Wei
from flux.sdk.call import Call
from flux.sdk.errors import Dropped, Failed, NotIncluded, Refused, RpcError, Unreachable
from flux.sdk.known import find_error, find_event, sentence
from flux.sdk.signer import Signer
from flux.sdk.transaction import Draft, Fees, sign_transaction

if TYPE_CHECKING:
    from flux.sdk.transport import Transport

E = TypeVar("E", bound=Event)
RECEIPT_TIMEOUT = 30.0
"""Seconds."""
_POLL = 0.02
_POLLS_PER_STATUS = 5
"""A transaction that is in no block after so many polls is asked after: it may have been dropped."""
_REVERTED = 3
"""JSON-RPC error code of a reverted call, as geth has it."""
LANE_GAS = Gas(U64(5_000_000))
"""Gas limit of a protocol-lane transaction, which pays no fee: the most that the chain takes."""


class Receipt(NamedTuple):
    """What a transaction did."""

    transaction: Hash
    block: Height
    gas_used: Gas
    fee: Wei
    logs: tuple[Log, ...]

    def events(self) -> list[Event]:
        """The logs that are events of the protocol."""
        found = (find_event(list(log.topics), log.data) for log in self.logs)
        return [event for event in found if event is not None]

    def event(self, kind: type[E]) -> E:
        """The event of a kind that the call always emits; the protocol's other events are not looked at."""
        codec = event_codec(kind)
        log = next(log for log in self.logs if log.topics[0] == codec.topic0)
        event = codec.decode(log.topics, log.data)
        assert isinstance(event, kind), "the codec is the kind's"
        return event


class Head(NamedTuple):
    """A block's header in short."""

    number: Height
    hash: Hash
    timestamp: Timestamp


class FluxClient:
    """One chain through one transport. Nonces are tracked per signer, so one client may send without waiting."""

    def __init__(self, transport: "Transport") -> None:
        self.transport = transport
        self._chain_id: int | None = None
        self._genesis: Hash | None = None
        self._nonces: dict[Address, int] = {}
        self._sending = asyncio.Lock()

    async def chain_id(self) -> int:
        """The chain's id, asked once."""
        if self._chain_id is None:
            self._chain_id = int(await self.transport.request("eth_chainId"), 16)
        return self._chain_id

    async def genesis(self) -> Hash:
        """The hash of block 0, asked once: what tells chains with the same id apart."""
        if self._genesis is None:
            block = await self.transport.request("eth_getBlockByNumber", "0x0", False)
            self._genesis = Hash(from_hex(block["hash"]))
        return self._genesis

    async def head(self) -> Head:
        """The newest block."""
        return parse_head(await self.transport.request("eth_getBlockByNumber", "latest", False))

    async def balance(self, account: Address) -> Wei:
        """Wei that the account holds."""
        return Wei(U256(int(await self.transport.request("eth_getBalance", to_hex(account), "latest"), 16)))

    async def view(self, call: Call, *arguments: object, block: str = "latest") -> Any:
        """The typed result of a view. Raises Refused with the contract's typed error."""
        request = {"to": to_hex(call.contract), "data": to_hex(call.encode(*arguments))}
        return call.decode(from_hex(await self._checked("eth_call", request, block)))

    async def transact(self, signer: Signer, call: Call, *arguments: object, value: Wei = NO_WEI) -> Receipt:
        """Send a method call and wait for its receipt. Raises Refused, Failed, NotIncluded."""
        return await self.wait(await self.send(signer, call.contract, call.encode(*arguments), value, lane=call.lane))

    async def send(
        self, signer: Signer, to: Address, data: bytes = b"", value: Wei = NO_WEI, *, lane: bool = False
    ) -> Hash:
        """Sign and submit; returns the hash at once. Raises Refused before sending when the call would revert."""
        chain_id = await self.chain_id()
        gas, fees = (LANE_GAS, Fees(NO_WEI, NO_WEI)) if lane else await self._price(signer, to, data, value)
        async with self._sending:
            for attempt in range(2):
                nonce = await self._next_nonce(signer.address)
                signed = sign_transaction(Draft(chain_id, nonce, fees, gas, to, value, data), signer)
                try:
                    await self._checked("eth_sendRawTransaction", to_hex(signed.raw))
                except RpcError as error:
                    if await self._has_arrived(signed.hash, error):
                        self._nonces[signer.address] = nonce + 1
                        break
                    self._nonces.pop(signer.address, None)
                    if attempt or "nonce" not in str(error):
                        raise
                except (Refused, Unreachable):
                    self._nonces.pop(signer.address, None)
                    raise
                else:
                    self._nonces[signer.address] = nonce + 1
                    break
        return signed.hash

    async def _has_arrived(self, transaction: Hash, error: RpcError) -> bool:
        """Whether a transaction that was refused had arrived before: an endpoint died after taking it, for instance."""
        if not any(word in str(error) for word in ("nonce", "already known")):
            return False
        status = await self._checked("flux_transactionStatus", to_hex(transaction))
        return status["status"] in ("pending", "committed")

    async def wait(self, transaction: Hash, seconds: float = RECEIPT_TIMEOUT) -> Receipt:
        """The receipt once it is in a block. Raises Refused or Failed for status 0, Dropped, NotIncluded."""
        deadline = asyncio.get_running_loop().time() + seconds
        polls = 0
        while (answer := await self.transport.request("eth_getTransactionReceipt", to_hex(transaction))) is None:
            polls += 1
            if polls % _POLLS_PER_STATUS == 0:
                await self._check_dropped(transaction)
            if asyncio.get_running_loop().time() > deadline:
                self._nonces.clear()
                raise NotIncluded(transaction, seconds)
            await asyncio.sleep(_POLL)
        if int(answer["status"], 16) == 0:
            await self._raise_failure(transaction, answer)
        return parse_receipt(answer)

    async def heads(self) -> AsyncIterator[Head]:
        """New heads as they come. Raises Unreachable when the connection drops."""
        async for head in self.transport.subscribe("newHeads"):
            yield parse_head(head)

    async def _check_dropped(self, transaction: Hash) -> None:
        """Raise Dropped when it will never come. Its nonce is free again, so those known here are no longer right."""
        status = await self.transport.request("flux_transactionStatus", to_hex(transaction))
        if status["status"] == "dropped":
            self._nonces.clear()
            raise Dropped(transaction, str(status["reason"]))

    async def _next_nonce(self, account: Address) -> Nonce:
        known = self._nonces.get(account)
        if known is None:
            known = int(await self.transport.request("eth_getTransactionCount", to_hex(account), "pending"), 16)
        return Nonce(U64(known))

    async def _price(self, signer: Signer, to: Address, data: bytes, value: Wei) -> tuple[Gas, Fees]:
        request = {"from": to_hex(signer.address), "to": to_hex(to), "data": to_hex(data), "value": quantity(value)}
        estimated, *prices = await asyncio.gather(
            self._checked("eth_estimateGas", request),
            self.transport.request("eth_gasPrice"),
            self.transport.request("eth_maxPriorityFeePerGas"),
        )
        gas, price, tip = int(estimated, 16), int(prices[0], 16), int(prices[1], 16)
        return Gas(U64(gas + gas // 5)), Fees(Wei(U256(2 * price + tip)), Wei(U256(tip)))

    async def _raise_failure(self, transaction: Hash, answer: dict[str, Any]) -> None:
        data = answer.get("revertData") or "0x"
        if (revert := find_error(from_hex(data))) is not None:
            raise Refused(revert, sentence(revert))
        raise Failed(transaction, "it ran out of gas" if data == "0x" else f"unknown error {data}")

    async def _checked(self, method: str, *params: object) -> Any:
        try:
            return await self.transport.request(method, *params)
        except RpcError as error:
            if error.code == _REVERTED and isinstance(error.data, str):
                revert = find_error(from_hex(error.data))
                if revert is not None:
                    raise Refused(revert, sentence(revert)) from error
            raise


def parse_head(block: dict[str, Any]) -> Head:
    """Head of a JSON block."""
    timestamp = Timestamp(U64(int(block["timestamp"], 16)))
    return Head(Height(U64(int(block["number"], 16))), Hash(from_hex(block["hash"])), timestamp)


def parse_log(log: dict[str, Any]) -> Log:
    """Log of a JSON log entry."""
    topics = tuple(Hash(from_hex(topic)) for topic in log["topics"])
    return Log(Address(from_hex(log["address"])), topics, from_hex(log["data"]))


def parse_receipt(answer: dict[str, Any]) -> Receipt:
    """Receipt of a JSON receipt."""
    gas_used = int(answer["gasUsed"], 16)
    return Receipt(
        transaction=Hash(from_hex(answer["transactionHash"])),
        block=Height(U64(int(answer["blockNumber"], 16))),
        gas_used=Gas(U64(gas_used)),
        fee=Wei(U256(gas_used * int(answer["effectiveGasPrice"], 16))),
        logs=tuple(parse_log(log) for log in answer["logs"]),
    )
