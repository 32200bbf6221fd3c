"""A transport that answers from verified state: what the SDK's client and the commands above it read is then proven.

Only questions about the newest state have an answer here; everything else is refused before it is asked.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from flux.chain.simulation import CallRequest, Simulator
from flux.chain.transaction_errors import TransactionError
from flux.chain.world import ChainWorld
from flux.kernel.context import SYSTEM_ADDRESS, ContractStorage
from flux.kernel.schedule import Clock
from flux.primitives.hexadecimal import from_hex, quantity, to_hex
from flux.primitives.types import U256, Address, Wei
from flux.protocol.genesis import Genesis
from flux.protocol.registry import ProtocolFactory
from flux.sdk.errors import RpcError
from flux.sdk.light.client import LightClient
from flux.sdk.light.errors import NotVerifiable
from flux.sdk.transport import Transport
from flux.verification.state import ProvenState, ProvenView

_REVERTED = 3
_NEWEST = ("latest", "safe", "finalized")


class VerifyingTransport:
    """Implements `sdk.transport.Transport` for reading; all answers are of one block."""

    def __init__(self, inner: Transport, light: LightClient, genesis: Genesis) -> None:
        self._inner = inner
        self._light = light
        self._genesis = genesis
        self._state = ProvenState(inner, light)
        self._methods: dict[str, Callable[..., Awaitable[Any]]] = {
            "eth_chainId": self._chain_id,
            "eth_getBalance": self._balance,
            "eth_getTransactionCount": self._nonce,
            "eth_call": self._call,
            "eth_getBlockByNumber": self._block,
            "flux_clock": self._clock,
        }

    @property
    def url(self) -> str:
        """The endpoint that is checked."""
        return self._inner.url

    async def request(self, method: str, *params: object) -> Any:
        """The verified answer. Raises NotVerifiable, Lied, and what asking the endpoint raises."""
        handler = self._methods.get(method)
        if handler is None:
            raise NotVerifiable(f"answers to {method} cannot be verified; without --verify they are taken as they are")
        return await handler(*params)

    async def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """One after the other: what they read is shared."""
        return [await self.request(method, *params) for method, params in calls]

    def subscribe(self, *params: object) -> AsyncIterator[Any]:
        """Nothing that is pushed can be verified. Raises NotVerifiable."""
        raise NotVerifiable("subscriptions cannot be verified; leave out --verify")

    async def _chain_id(self) -> str:
        return quantity(self._genesis.chain_id)

    async def _balance(self, address: str, block: str = "latest") -> str:
        _check_newest(block)
        return quantity((await self._light.account(Address(from_hex(address)))).balance)

    async def _nonce(self, address: str, block: str = "latest") -> str:
        _check_newest(block)
        return quantity((await self._light.account(Address(from_hex(address)))).nonce)

    async def _block(self, block: str, whole: bool = False) -> dict[str, str]:
        _check_newest(block)
        header = (await self._light.head()).header
        return {
            "number": quantity(header.number),
            "hash": to_hex(header.hash),
            "timestamp": quantity(header.timestamp),
            "stateRoot": to_hex(header.state_root),
        }

    async def _call(self, call: dict[str, str], block: str = "latest") -> str:
        _check_newest(block)
        request = CallRequest(
            to=Address(from_hex(call["to"])),
            data=from_hex(call.get("data", "0x")),
            sender=Address(from_hex(call["from"])) if "from" in call else Address(bytes(20)),
            value=Wei(U256(int(call.get("value", "0x0"), 16))),
        )

        def work(view: ProvenView) -> str:
            # Contracts are built anew for each attempt: one that ended in the middle may have left half a cache.
            result = Simulator(ProtocolFactory(self._genesis.params)).call(view, request)
            if result.revert_data is not None:
                raise RpcError(_REVERTED, "execution reverted", to_hex(result.revert_data))
            return to_hex(result.return_data)

        try:
            return await self._state.run(work, hint=call)
        except TransactionError as error:
            raise RpcError(error.code, str(error)) from error

    async def _clock(self, block: str = "latest") -> dict[str, str]:
        _check_newest(block)

        def work(view: ProvenView) -> int:
            return Clock(ContractStorage(ChainWorld(view.reader), SYSTEM_ADDRESS)).gaps()

        gaps = await self._state.run(work)
        header = (await self._light.head()).header
        return {
            "number": quantity(header.number),
            "timestamp": quantity(header.timestamp),
            "now": quantity(header.timestamp - gaps),
            "gaps": quantity(gaps),
        }


def _check_newest(block: str) -> None:
    if block not in _NEWEST:
        raise NotVerifiable(f"only the newest state can be verified, not that of block {block}")
