"""The state of one verified block, fetched from an endpoint bit by bit, each bit with its proof.

Work over it is repeated until nothing is missing: a read that is not there yet ends the attempt, is fetched and proven,
and the work begins again. Single keys come with Merkle proofs of their own. A contract whose keys are walked through in
order is fetched whole and its storage root computed: keys are hashed before they enter the trie, so nothing less shows
that no key of a range was left out.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from flux.chain import tables, trie
from flux.chain.block import Header, decode_header
from flux.chain.overlay import Item
from flux.chain.world import decode_account, encode_account
from flux.primitives.hexadecimal import quantity, to_hex
from flux.primitives.types import U256, Address, Wei
from flux.sdk.errors import RpcError
from flux.sdk.light.client import LightClient, blaming, parse_hex
from flux.sdk.light.errors import BadProof, Malformed, NotVerifiable
from flux.sdk.light.state import leaf_of, slot_path
from flux.sdk.transport import Transport

T = TypeVar("T")
MAX_ATTEMPTS = 2_000
"""Of one piece of work; an honest hint makes it two or three."""
MAX_STORAGE_BYTES = 128 * 1024 * 1024
"""Keys and values of a contract that is fetched whole."""
_ADDRESS = slice(1, tables.STORAGE_PREFIX_SIZE)


class MissingState(Exception):
    """A key, or a whole contract, has to be fetched before the work can go on."""

    def __init__(self, address: Address, key: bytes | None, *, whole: bool = False) -> None:
        super().__init__(f"0x{address.hex()} {'whole' if whole else (key or b'').hex()}")
        self.address = address
        self.key = key
        """Of the contract's storage; None for the account."""
        self.whole = whole


class ProvenReader:
    """The state tables as far as they were fetched; implements `chain.overlay.Reader`."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes | None] = {}
        self._whole: dict[Address, list[bytes]] = {}

    def get(self, key: bytes) -> bytes | None:
        """The value. Raises MissingState."""
        try:
            return self._values[key]
        except KeyError:
            address = Address(key[_ADDRESS])
            if key[:1] == tables.ACCOUNT:
                raise MissingState(address, None) from None
            if address in self._whole:
                return None
            raise MissingState(address, key[tables.STORAGE_PREFIX_SIZE :]) from None

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[Item]:
        """Keys and values in order; of one contract. Raises MissingState."""
        address = Address(start[_ADDRESS])
        keys = self._whole.get(address)
        if keys is None:
            raise MissingState(address, None, whole=True)
        found = keys[bisect_left(keys, start) : bisect_left(keys, end)]
        return self._items(found[::-1] if reverse else found)

    def put(self, key: bytes, value: bytes | None) -> None:
        """Take in a proven value of a state table."""
        self._values[key] = value

    def put_whole(self, address: Address, entries: dict[bytes, bytes]) -> None:
        """Take in a contract's whole proven storage."""
        prefix = tables.storage(address, b"")
        self._values |= {prefix + key: value for key, value in entries.items()}
        self._whole[address] = sorted(prefix + key for key in entries)

    def is_whole(self, address: Address) -> bool:
        """Whether all of the contract's storage is there."""
        return address in self._whole

    def _items(self, keys: list[bytes]) -> Iterator[Item]:
        for key in keys:
            value = self._values[key]
            assert value is not None, "a whole storage holds no absent keys"
            yield key, value


class ProvenView:
    """What calls run on; implements `chain.simulation.StateOfBlock`."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.proven = ProvenReader()
        self.reader: Any = self.proven

    def balance(self, address: Address) -> Wei:
        """What an account holds."""
        return Wei(U256(decode_account(self.proven.get(tables.account(address)))[1]))


class ProvenState:
    """The newest verified state, as much of it as was needed so far."""

    def __init__(self, transport: Transport, light: LightClient) -> None:
        self._transport = transport
        self._light = light
        self._view: ProvenView | None = None

    async def view(self) -> ProvenView:
        """The view, empty at first."""
        if self._view is None:
            head = await self._light.head()
            self._view = ProvenView(decode_header(head.header.raw))
        return self._view

    async def run(self, work: Callable[[ProvenView], T], hint: dict[str, str] | None = None) -> T:
        """The result of work on the view, which must not keep anything from one attempt to the next.

        `hint` is a call whose reads the endpoint is asked to name beforehand. Raises Lied, NotVerifiable, and what the
        work and the transport raise.
        """
        view = await self.view()
        if hint is not None:
            await self._prefetch(hint)
        for _ in range(MAX_ATTEMPTS):
            try:
                return work(view)
            except MissingState as missing:
                if missing.whole:
                    await self._fetch_whole(missing.address)
                else:
                    await self._fetch(missing.address, [] if missing.key is None else [missing.key])
        raise NotVerifiable(f"this reads more than {MAX_ATTEMPTS} parts of the state one after the other")

    async def _prefetch(self, call: dict[str, str]) -> None:
        """Fetch what the endpoint says that a call reads; wrong or missing hints only cost time."""
        view = await self.view()
        height = quantity(view.header.number)
        try:
            answer = await self._transport.request("flux_accessList", call, height)
            with blaming(self._transport.url, "flux_accessList"):
                walked = [_address(item) for item in _members(answer, "walked")]
                named = [
                    (_address(_member(item, "address")), [parse_hex(key) for key in _members(item, "keys")])
                    for item in _members(answer, "accounts")
                ]
        except RpcError:
            return
        for address in walked:
            if not view.proven.is_whole(address):
                await self._fetch_whole(address)
        for address, keys in named:
            if not view.proven.is_whole(address):
                await self._fetch(address, keys)

    async def _fetch(self, address: Address, keys: list[bytes]) -> None:
        reader = (await self.view()).proven
        account = await self._light.account(address) if not keys else None
        if account is not None:
            stored = encode_account((account.nonce, account.balance))
            reader.put(tables.account(address), stored)
            return
        for key, value in (await self._light.values(address, keys)).items():
            reader.put(tables.storage(address, key), value)

    async def _fetch_whole(self, address: Address) -> None:
        view = await self.view()
        url, height = self._transport.url, quantity(view.header.number)
        entries: dict[bytes, bytes] = {}
        after, size = "0x", 0
        while True:
            page = await self._transport.request("flux_storage", to_hex(address), after, height)
            with blaming(url, "flux_storage"):
                before = len(entries)
                for pair in _members(page, "entries"):
                    key, value = _pair(pair)
                    entries[key] = value
                    size += len(key) + len(value)
                following = _member(page, "next")
                if following is not None and len(entries) == before:
                    raise Malformed("a page of storage without entries that says more follow")
            if size > MAX_STORAGE_BYTES:
                raise NotVerifiable(
                    f"the storage of 0x{address.hex()} is larger than {MAX_STORAGE_BYTES} bytes: this question would "
                    "need all of it; ask a node of your own"
                )
            if following is None:
                break
            after = following
        account = await self._light.account(address)
        with blaming(url, f"flux_storage of 0x{address.hex()}"):
            leaves: dict[bytes, bytes | None] = {slot_path(key): leaf_of(value) for key, value in entries.items()}
            if trie.update(_nothing, leaves).root != account.storage_root:
                raise BadProof("the contract's storage is not the one that the state root commits to")
        view.proven.put_whole(address, entries)


def _nothing(path: bytes) -> None:
    """An empty trie's nodes."""


def _member(answer: object, name: str) -> Any:
    if not isinstance(answer, dict) or name not in answer:
        raise Malformed(f"the answer has no {name}")
    return answer[name]


def _members(answer: object, name: str) -> list[Any]:
    value = _member(answer, name)
    if not isinstance(value, list):
        raise Malformed(f"{name} is not a list")
    return value


def _pair(value: object) -> tuple[bytes, bytes]:
    if not isinstance(value, list) or len(value) != 2:
        raise Malformed("an entry of storage is a key and a value")
    key, data = parse_hex(value[0]), parse_hex(value[1])
    if not key or not data:
        raise Malformed("an entry of storage is empty")
    return key, data


def _address(value: object) -> Address:
    address = parse_hex(value)
    if len(address) != 20:
        raise Malformed("an address has 20 bytes")
    return Address(address)
