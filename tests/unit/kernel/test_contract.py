"""Declaring a contract: dispatch, ABI, errors and events derive from annotations."""

import json
from dataclasses import dataclass
from enum import IntEnum

import pytest
from eth_abi import decode as reference_decode
from eth_abi import encode as reference_encode
from eth_utils import event_abi_to_log_topic, function_abi_to_4byte_selector

from flux.kernel.abi_types import UnsupportedAnnotation, abi_type, camel
from flux.kernel.context import GOVERNANCE_ADDRESS, Block, Context
from flux.kernel.contract import Contract, Declaration, Mutability, method, scheduled, view
from flux.kernel.errors import BadArguments, NotPayable, Revert, Unauthorized, UnknownMethod
from flux.kernel.events import Event, Indexed, event_codec
from flux.kernel.interface import abi_json, solidity_interface
from flux.kernel.record import Record
from flux.kernel.revert_data import decode_error, encode_error, error_selector
from flux.primitives.abi import AbiError
from flux.primitives.types import U8, U64, U256, Address, ChainTime, Hash, Height, Timestamp, Wei


class Colour(IntEnum):
    RED = 1
    BLUE = 2


class Point(Record, frozen=True):
    """A place."""

    x: U64
    colour: Colour


class Moved(Event, frozen=True):
    """Something moved."""

    owner: Indexed[Address]
    name: Indexed[str]
    to: Point
    amount: Wei


@dataclass(eq=False)
class TooFar(Revert):
    """{distance} is too far from {point}."""

    distance: U64
    point: Point


class Board(Contract):
    """A board to test with."""

    name = "Board"
    address = Address(b"\x0b" * 20)
    events = (Moved,)
    errors = (TooFar,)

    @method(gas=1_000, payable=True)
    def move_piece(self, context: Context, target: Point, path: list[Point], label: str) -> U64:
        """Move a piece."""
        return U64(target.x + sum(point.x for point in path) + len(label) + context.value)

    @method(gas=5, lane=True)
    def report(self, context: Context) -> None:
        """Report for free."""
        raise TooFar(U64(9), Point(U64(1), Colour.RED))

    @view()
    def where(self, context: Context, owner: Address) -> list[Point]:
        """Where the pieces are."""
        return [Point(U64(owner[0]), Colour.BLUE)]

    @scheduled(3)
    def tick(self, context: Context, subject: int) -> None:
        """Do scheduled work."""
        self.ticked = subject


def make_context(value: int = 0) -> Context:
    block = Block(Height(U64(1)), Timestamp(U64(1)), ChainTime(U64(1)), Hash(bytes(32)), Address(bytes(20)))
    return Context(Address(b"\x01" * 20), Wei(U256(value)), block)


def make_board() -> Board:
    return Board(host=None)  # type: ignore[arg-type]


def selector(name: str) -> bytes:
    (entry,) = [entry for entry in abi_json(Board) if entry["name"] == name]
    return function_abi_to_4byte_selector(entry)  # type: ignore[arg-type]


def test_a_call_from_another_abi_library_is_understood() -> None:
    data = selector("movePiece") + reference_encode(
        ["(uint64,uint8)", "(uint64,uint8)[]", "string"], [(5, 1), [(1, 2), (2, 2)], "abc"]
    )
    result = make_board().call(make_context(value=10), data)
    assert reference_decode(["uint64"], result) == (5 + 3 + 3 + 10,)


def test_a_list_of_records_is_returned_as_tuples() -> None:
    result = make_board().call(make_context(), selector("where") + reference_encode(["address"], ["0x" + "07" * 20]))
    assert reference_decode(["(uint64,uint8)[]"], result) == (((7, 2),),)


def test_a_number_outside_an_enumeration_is_a_bad_argument() -> None:
    data = selector("movePiece") + reference_encode(["(uint64,uint8)", "(uint64,uint8)[]", "string"], [(5, 7), [], ""])
    with pytest.raises(BadArguments):
        make_board().call(make_context(), data)


@pytest.mark.parametrize("data", [b"", b"\x01", b"\xff\xff\xff\xff"])
def test_unknown_selectors_are_refused(data: bytes) -> None:
    with pytest.raises(UnknownMethod):
        make_board().call(make_context(), data)


def test_truncated_arguments_are_refused() -> None:
    with pytest.raises(BadArguments):
        make_board().call(make_context(), selector("where") + b"\x00" * 31)


def test_value_sent_to_a_method_that_takes_none_is_refused() -> None:
    with pytest.raises(NotPayable):
        make_board().call(make_context(value=1), selector("where") + bytes(32))


def test_a_governed_method_is_the_governors_alone() -> None:
    declaration = Declaration(1, Mutability.NONPAYABLE, lane=False, governed=True, fork=0)
    with pytest.raises(Unauthorized):
        declaration.check(make_context())
    declaration.check(make_context()._replace(sender=GOVERNANCE_ADDRESS))
    with pytest.raises(NotPayable):
        declaration.check(make_context(value=1)._replace(sender=GOVERNANCE_ADDRESS))


def test_errors_cross_the_wire_with_their_fields() -> None:
    with pytest.raises(TooFar) as caught:
        make_board().call(make_context(), selector("report"))
    data = encode_error(caught.value)
    decoded = decode_error(data, {error_selector(TooFar): TooFar})
    assert isinstance(decoded, TooFar)
    assert decoded.point == Point(U64(1), Colour.RED)
    assert decode_error(b"\x00\x00\x00\x00", {}) is None
    assert "distance=9" in str(decoded)


def test_events_have_the_topics_that_other_tools_compute() -> None:
    event = Moved(Address(b"\x02" * 20), "name", Point(U64(3), Colour.BLUE), Wei(U256(10**30)))
    log = event_codec(Moved).encode(Board.address, event)
    (entry,) = [entry for entry in abi_json(Board) if entry["name"] == "Moved"]
    assert log.topics[0] == event_abi_to_log_topic(entry)  # type: ignore[arg-type]
    assert log.topics[1] == bytes(12) + b"\x02" * 20
    assert reference_decode(["(uint64,uint8)", "uint256"], log.data) == ((3, 2), 10**30)
    decoded = event_codec(Moved).decode(log.topics, log.data)
    assert isinstance(decoded, Moved)
    assert decoded.to == event.to
    assert decoded.name == log.topics[2]
    with pytest.raises(AbiError):
        event_codec(Moved).decode(log.topics[:2], log.data)


def test_the_interface_of_a_contract_is_complete() -> None:
    entries = {entry["name"]: entry for entry in abi_json(Board)}
    assert entries["movePiece"]["stateMutability"] == "payable"
    assert entries["where"]["stateMutability"] == "view"
    assert entries["movePiece"]["inputs"][1]["type"] == "tuple[]"
    assert entries["movePiece"]["inputs"][1]["components"][1]["type"] == "uint8"
    assert {"TooFar", "UnknownMethod", "Moved"} <= set(entries)
    json.dumps(abi_json(Board))
    text = solidity_interface(Board)
    assert "interface IBoard {" in text
    assert "function movePiece(Point calldata target, Point[] calldata path, string calldata label)" in text
    assert "event Moved(address indexed owner, string indexed name, Point to, uint256 amount);" in text
    assert "error TooFar(uint64 distance, Point point);" in text


def test_scheduled_work_reaches_its_handler() -> None:
    board = make_board()
    board.run_scheduled(make_context(), 3, 42)
    assert board.ticked == 42
    with pytest.raises(KeyError):
        board.run_scheduled(make_context(), 4, 42)


def test_an_event_with_four_indexed_fields_is_refused() -> None:
    class Wide(Event, frozen=True):
        a: Indexed[U8]
        b: Indexed[U8]
        c: Indexed[U8]
        d: Indexed[U8]

    with pytest.raises(TypeError, match="Ethereum allows 3"):
        event_codec(Wide)


def test_an_annotation_without_an_abi_type_is_refused() -> None:
    with pytest.raises(UnsupportedAnnotation):
        abi_type(dict[str, int])
    assert camel("leases_of_node") == "leasesOfNode"
    assert camel("CLOCK_MODE") == "CLOCK_MODE"
