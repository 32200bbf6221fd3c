"""A client that believes nothing but validators: it follows the chain from a trusted block and checks what it is told.

It asks one endpoint, through `flux_lightBlock`, `flux_header` and `flux_getProof`. What fails a check is raised as
Lied, with the endpoint's URL; what cannot be asked is raised as it is.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from flux.primitives.hexadecimal import HexError, from_hex, quantity, to_hex
from flux.primitives.types import Address, Hash
from flux.sdk.errors import RpcError
from flux.sdk.light.errors import BadHeader, Lied, Malformed, NotVerifiable, Stale, VerificationError
from flux.sdk.light.follow import follow
from flux.sdk.light.parse import parse_light_block
from flux.sdk.light.rules import Policy, check_block, check_signed
from flux.sdk.light.state import ProvenAccount, StateHeader, verify_account, verify_header, verify_values
from flux.sdk.light.types import SECOND, LightBlock
from flux.sdk.transport import Transport

MAX_AGE = 120 * SECOND
"""Nanoseconds after which the newest block counts as old: even an idle chain makes one every few seconds."""
_NOT_VERIFIABLE = -32020
"""The endpoint's code for a chain without validators."""
KEYS_AT_ONCE = 1_024
"""As many as an endpoint proves in one answer."""


@dataclass(frozen=True, slots=True)
class VerifiedHead:
    """The newest block whose state can be verified, and the light block after it, which signs it."""

    light: LightBlock
    header: StateHeader


class LightClient:
    """One chain through one endpoint, beginning with a trusted light block."""

    def __init__(
        self,
        transport: Transport,
        trusted: LightBlock,
        policy: Policy,
        clock: Callable[[], int],
        max_age: int = MAX_AGE,
    ) -> None:
        """`clock` and `max_age`: nanoseconds, since 1970 and of the newest block."""
        self._transport = transport
        self._trusted = trusted
        self._policy = policy
        self._clock = clock
        self._max_age = max_age
        self._head: VerifiedHead | None = None
        self._following = asyncio.Lock()

    @property
    def trusted(self) -> LightBlock:
        """The newest block that was verified."""
        return self._trusted

    async def head(self) -> VerifiedHead:
        """The newest verified state; asked once, so that one client's answers are all of one block."""
        async with self._following:
            if self._head is None:
                self._head = await self._follow()
        return self._head

    async def account(self, address: Address) -> ProvenAccount:
        """An account's nonce, balance and storage root."""
        return (await self._proof(address, []))[0]

    async def values(self, address: Address, keys: Sequence[bytes]) -> dict[bytes, bytes | None]:
        """Whole values of a contract's storage."""
        found: dict[bytes, bytes | None] = {}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            found |= (await self._proof(address, keys[start : start + KEYS_AT_ONCE]))[1]
        return found

    async def _follow(self) -> VerifiedHead:
        url = self._transport.url
        with blaming(url, "flux_lightBlock"):
            newest = await fetch_light_block(self._transport)
            if newest.height < self._trusted.height:
                raise Stale(f"its newest block is {newest.height}; block {self._trusted.height} was seen before")
            now = self._clock()
            if now - newest.header.time > self._max_age:
                age = (now - newest.header.time) // SECOND
                raise Stale(f"its newest block is {age} s old: the chain stands still, or newer blocks are kept back")
            if newest.height == self._trusted.height and newest.header != self._trusted.header:
                raise BadHeader(f"block {newest.height} is another one than was verified before: the chain has forked")
            if newest.height > self._trusted.height:
                self._trusted = await follow(self._trusted, newest, self._fetch, now, self._policy)
        with blaming(url, "flux_header"):
            raw = await self._transport.request("flux_header", quantity(self._trusted.height - 1))
            return VerifiedHead(self._trusted, verify_header(self._trusted, parse_hex(raw)))

    async def _fetch(self, height: int) -> LightBlock:
        return await fetch_light_block(self._transport, height)

    async def _proof(self, address: Address, keys: Sequence[bytes]) -> tuple[ProvenAccount, dict[bytes, bytes | None]]:
        head = (await self.head()).header
        answer = await self._transport.request(
            "flux_getProof", to_hex(address), [to_hex(key) for key in keys], quantity(head.number)
        )
        with blaming(self._transport.url, f"flux_getProof of 0x{address.hex()}"):
            account = verify_account(head.state_root, address, answer)
            return account, verify_values(account, keys, answer)


async def fetch_light_block(transport: Transport, height: int | None = None) -> LightBlock:
    """The endpoint's light block, the newest one without a height; unverified. Raises NotVerifiable, Malformed."""
    try:
        answer = await transport.request("flux_lightBlock", *(() if height is None else (quantity(height),)))
    except RpcError as error:
        if error.code == _NOT_VERIFIABLE:
            raise NotVerifiable(f"{transport.url}: {error}") from error
        raise
    block = parse_light_block(answer)
    if height is not None and block.height != height:
        raise BadHeader(f"asked for block {height}, got block {block.height}")
    return block


async def fetch_trusted(transport: Transport, height: int, block_hash: Hash, chain_id: str | None = None) -> LightBlock:
    """The light block that a person names by height and hash. Raises Lied when the endpoint has another one."""
    with blaming(transport.url, "flux_lightBlock"):
        block = await fetch_light_block(transport, height)
        check_block(block, block.header.chain_id if chain_id is None else chain_id)
        check_signed(block)
        if block.commit.block_id.hash != block_hash:
            raise BadHeader(f"its block {height} has the hash {block.commit.block_id.hash.hex()}")
    return block


@contextmanager
def blaming(url: str, question: str) -> Iterator[None]:
    """Say whose answer failed a check."""
    try:
        yield
    except VerificationError as error:
        raise Lied(url, question, error) from error


def parse_hex(text: object) -> bytes:
    """Bytes of an answer. Raises Malformed."""
    try:
        return from_hex(text)  # type: ignore[arg-type]
    except HexError as error:
        raise Malformed(f"expected hex: {error}") from error
