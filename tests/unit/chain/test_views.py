"""State and proofs at the head and at earlier heights, checked by an independent trie library."""

import random
from collections.abc import Sequence

import pytest
import rlp
from trie import HexaryTrie

from flux.chain.history import KEPT_HEIGHTS, StateUnavailable
from flux.chain.simulation import CallRequest
from flux.chain.state_root import code_of, slot_of
from flux.chain.trie import EMPTY_ROOT
from flux.kernel.context import SYSTEM_ADDRESS
from flux.primitives.keccak import EMPTY_KECCAK, keccak256
from flux.primitives.types import U64, Address, Hash, Height
from support.chain_lab import Lab, address
from support.counter import COUNTER, encode

ABSENT = Address(b"\xee" * 20)
COUNT_KEY = b"\x02" + address(0)
NOTE_KEY = b"\x03" + address(0)


def verified(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes:
    """What stock software concludes from a proof of eth_getProof; empty for absence."""
    return bytes(HexaryTrie.get_from_proof(root, keccak256(key), [rlp.decode(node) for node in nodes]))


def check_height(lab: Lab, number: int, expected: dict[str, object]) -> None:
    """Everything a light client may ask for at a height, against that height's header."""
    block = lab.application.ledger.find_block(Height(U64(number)))
    assert block is not None
    with lab.application.ledger.state_at(block.number) as view:
        assert view.header == block.header
        assert view.state_root() == block.header.state_root
        slots = [slot_of(COUNT_KEY), slot_of(NOTE_KEY), slot_of(b"nothing")]
        proof = view.prove(COUNTER, slots)
        leaf = rlp.decode(verified(block.header.state_root, COUNTER, proof.proof))
        assert leaf == [b"", b"", proof.storage_root, keccak256(code_of("Counter"))]
        assert proof.code_hash == leaf[3]
        for slot in proof.slots:
            found = verified(proof.storage_root, slot.slot, slot.proof)
            assert (rlp.decode(found) if found else b"") == slot.value
        count = expected["count"]
        assert proof.slots[0].value == (count or b"")
        note = expected["note"]
        assert isinstance(note, bytes | None)
        assert proof.slots[1].value == (b"" if note is None else keccak256(note) if len(note) > 32 else note)
        assert proof.slots[2].value == b""
        assert (view.value(COUNTER, COUNT_KEY), view.value(COUNTER, NOTE_KEY)) == (count, note)
        assert view.prove_keys(COUNTER, [NOTE_KEY])[1] == [note]
        payer = view.prove(address(0))
        nonce, balance, *_ = rlp.decode(verified(block.header.state_root, address(0), payer.proof))
        assert int.from_bytes(nonce, "big") == payer.nonce == view.nonce(address(0)) == expected["nonce"]
        assert int.from_bytes(balance, "big") == payer.balance == view.balance(address(0)) == expected["balance"]
        absent = view.prove(ABSENT)
        assert verified(block.header.state_root, ABSENT, absent.proof) == b""
        assert (absent.nonce, absent.balance, absent.storage_root, absent.code_hash) == (0, 0, EMPTY_ROOT, EMPTY_KECCAK)


def test_accounts_and_slots_prove_at_the_head_and_two_hundred_blocks_later() -> None:
    lab = Lab()
    lab.block(
        lab.call(0, "add(uint64)", 5), lab.call(0, "note(string)", "a note that is longer than 32 bytes, so hashed")
    )
    states: dict[int, dict[str, object]] = {}
    draw = random.Random(7)
    for _ in range(200):
        call = draw.choice([("add(uint64)", 3), ("note(string)", "n" * draw.randrange(1, 60)), ("erase()",)])
        lab.block(lab.call(0, *call), lab.call(1, "shuffle(uint64,uint16)", draw.randrange(500), 3, gas=900_000))
        with lab.application.ledger.state_at() as view:
            states[view.height] = {
                "count": view.value(COUNTER, COUNT_KEY),
                "note": view.value(COUNTER, NOTE_KEY),
                "nonce": view.nonce(address(0)),
                "balance": view.balance(address(0)),
            }
    for number in [*draw.sample(sorted(states), 20), 2, 201]:
        check_height(lab, number, states[number])


def test_only_the_kept_heights_can_be_read() -> None:
    lab = Lab()
    for _ in range(KEPT_HEIGHTS + 10):
        lab.block(lab.transaction(0, ABSENT))
    head = lab.application.ledger.head().number
    with lab.application.ledger.state_at(Height(U64(head - KEPT_HEIGHTS))) as view:
        assert view.state_root() == view.header.state_root
    with lab.application.ledger.snapshot() as snapshot:
        listed = [key[1:9] for key, _ in snapshot.range(b"d", b"e")]
        parts = {key[1:9] for key, _ in snapshot.range(b"e", b"f")}
    assert listed == sorted(parts)
    assert len(parts) == KEPT_HEIGHTS
    for outside in (head - KEPT_HEIGHTS - 1, head + 1):
        with pytest.raises(StateUnavailable, match=f"newest block is {head}"):
            lab.application.ledger.state_at(Height(U64(outside)))


def test_a_view_stays_what_it_is_while_blocks_are_committed() -> None:
    lab = Lab()
    lab.block(lab.call(0, "add(uint64)", 1))
    lab.block(lab.call(0, "add(uint64)", 1))
    head, past = lab.application.ledger.state_at(), lab.application.ledger.state_at(Height(U64(1)))
    before = [(view.balance(address(0)), view.value(COUNTER, COUNT_KEY), view.prove(COUNTER)) for view in (head, past)]
    for _ in range(5):
        lab.block(lab.call(0, "add(uint64)", 1), lab.call(1, "add(uint64)", 1))
        with lab.application.ledger.state_at(Height(U64(1))) as fresh:
            assert fresh.value(COUNTER, COUNT_KEY) == b"\x01"
    after = [(view.balance(address(0)), view.value(COUNTER, COUNT_KEY), view.prove(COUNTER)) for view in (head, past)]
    assert before == after
    assert [view.state_root() for view in (head, past)] == [view.header.state_root for view in (head, past)]
    head.close()
    past.close()


def test_the_past_is_walked_in_order_like_the_present() -> None:
    lab = Lab()
    lab.block(lab.call(0, "shuffle(uint64,uint16)", 0, 30, gas=2_000_000))
    with lab.application.ledger.state_at() as view:
        expected = list(view.reader.range(b"s" + COUNTER, b"s" + COUNTER + b"\xff"))
    for start in (10, 40, 0):
        lab.block(lab.call(0, "shuffle(uint64,uint16)", start, 30, gas=2_000_000))
    with lab.application.ledger.state_at(Height(U64(1))) as view:
        assert list(view.reader.range(b"s" + COUNTER, b"s" + COUNTER + b"\xff")) == expected
        backwards = list(view.reader.range(b"s" + COUNTER, b"s" + COUNTER + b"\xff", reverse=True))
        assert backwards == expected[::-1]


def test_a_call_at_an_earlier_height_walks_what_was_there_then() -> None:
    lab, answers = Lab(), []
    request = CallRequest(COUNTER, encode("shuffle(uint64,uint16)", 7, 2), address(1))
    for start in (0, 90, 30):
        lab.block(lab.call(0, "shuffle(uint64,uint16)", start, 25, gas=2_000_000))
        answers.append(lab.application.call(request).return_data)
    assert len(set(answers)) == 3
    assert [lab.application.call(request, Height(U64(number))).return_data for number in (1, 2, 3)] == answers


def test_storage_answers_by_slot_what_the_trie_holds() -> None:
    lab = Lab()
    text = "x" * 40
    lab.block(lab.call(0, "add(uint64)", 5), lab.call(0, "note(string)", text))
    with lab.application.ledger.state_at() as view:
        assert view.storage(COUNTER, slot_of(COUNT_KEY)) == b"\x05"
        assert view.storage(COUNTER, slot_of(NOTE_KEY)) == keccak256(b"\x01" + text.encode())
        assert view.storage(COUNTER, Hash(bytes(32))) is None
        assert view.storage(ABSENT, Hash(bytes(32))) is None


def test_a_contract_is_in_the_trie_from_genesis_and_the_system_only_while_it_stores_something() -> None:
    lab = Lab()
    with lab.application.ledger.state_at() as view:
        assert view.prove(COUNTER).code_hash == keccak256(code_of("Counter"))
        assert view.prove(SYSTEM_ADDRESS).storage_root == EMPTY_ROOT
    lab.block(lab.call(0, "remind(uint64,uint64)", 5, 1))
    with lab.application.ledger.state_at() as view:
        system = view.prove(SYSTEM_ADDRESS)
        assert system.storage_root != EMPTY_ROOT
        leaf = rlp.decode(verified(view.state_root(), SYSTEM_ADDRESS, system.proof))
        assert leaf == [b"", b"", system.storage_root, EMPTY_KECCAK]
    lab.block(seconds=5)
    with lab.application.ledger.state_at() as view:
        system = view.prove(SYSTEM_ADDRESS)
        assert (system.storage_root, verified(view.state_root(), SYSTEM_ADDRESS, system.proof)) == (EMPTY_ROOT, b"")
