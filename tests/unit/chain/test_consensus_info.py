"""What the engine tells of a block: one encoding, kept in the block wherever it goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flux.chain.block import decode_block, encode_block
from flux.chain.consensus_info import (
    NO_INFO,
    CommitVote,
    ConsensusInfo,
    CorruptInfo,
    Misbehavior,
    MisbehaviorKind,
    ValidatorUpdate,
    decode_info,
    encode_info,
)
from flux.chain.export import ImportFailed, export_chain, import_chain
from flux.chain.system_transaction import info_of
from flux.primitives import rlp
from flux.primitives.types import U64, Address, ConsensusAddress, Hash, Timestamp
from support.chain_lab import PRODUCER, Lab
from support.transactions import CHAIN_ID

ONE, TWO = ConsensusAddress(Address(b"\x01" * 20)), ConsensusAddress(Address(b"\x02" * 20))
INFO = ConsensusInfo(
    ONE,
    (CommitVote(ONE, 100, True), CommitVote(TWO, 7, False)),
    (Misbehavior(MisbehaviorKind.DUPLICATE_VOTE, TWO, 7, 5, 1_700_000_000, 107),),  # type: ignore[arg-type]
)

addresses = some.binary(min_size=20, max_size=20).map(lambda raw: ConsensusAddress(Address(raw)))
numbers = some.integers(0, 2**64 - 1)
infos = some.builds(
    ConsensusInfo,
    addresses | some.just(b""),
    some.lists(some.builds(CommitVote, addresses, numbers, some.booleans()), max_size=5).map(tuple),
    some.lists(
        some.builds(Misbehavior, some.sampled_from(MisbehaviorKind), addresses, numbers, numbers, numbers, numbers),
        max_size=3,
    ).map(tuple),
)


@given(infos)
def test_an_info_reads_back(info: ConsensusInfo) -> None:
    assert decode_info(encode_info(info)) == info


@given(some.binary(max_size=80))
def test_what_decodes_has_this_encoding_and_no_other(data: bytes) -> None:
    try:
        info = decode_info(data)
    except CorruptInfo:
        return
    assert encode_info(info) == data


@pytest.mark.parametrize(
    "shape",
    [
        b"abc",
        [b"", []],
        [b"", [], []],
        [b"\x01" * 19, [], []],
        [ONE, b"", []],
        [ONE, [b"vote"], []],
        [ONE, [[ONE, b"\x01", b"\x02"]], []],
        [ONE, [[ONE, b"\x00\x01", b"\x01"]], []],
        [ONE, [[ONE, b"\x01" * 9, b"\x01"]], []],
        [ONE, [[ONE, b"\x01"]], []],
        [ONE, [], [[b"\x03", ONE, b"", b"", b"", b""]]],
        [[], [], []],
    ],
)
def test_other_shapes_are_refused(shape: rlp.RlpInput) -> None:
    with pytest.raises(CorruptInfo):
        decode_info(rlp.encode(shape))


def made(lab: Lab, info: ConsensusInfo = INFO) -> Hash:
    finalized = lab.application.finalize([], Timestamp(U64(lab.now + 1)), PRODUCER, info)
    return lab.application.commit(finalized).hash


def test_the_info_is_part_of_the_blocks_identity() -> None:
    lab = Lab()
    now = Timestamp(U64(lab.now + 1))
    first = lab.application.finalize([], now, PRODUCER, INFO)
    assert lab.application.finalize([], now, PRODUCER, INFO) is first
    plain = lab.application.finalize([], now, PRODUCER)
    assert plain.block.header.transactions_root != first.block.header.transactions_root
    assert info_of(first.block.transactions[-1]) == INFO
    assert info_of(plain.block.transactions[-1]) == NO_INFO


def test_the_machine_is_told_and_its_updates_come_back() -> None:
    lab = Lab()
    finalized = lab.application.finalize([], Timestamp(U64(lab.now + 1)), PRODUCER, INFO)
    assert [update.power for update in finalized.validator_updates] == [100, 7]
    assert isinstance(finalized.validator_updates[0], ValidatorUpdate)
    assert lab.finalize([]).validator_updates == ()


def test_the_producer_of_a_proposer_is_read_from_the_head() -> None:
    proposer = ConsensusAddress(Address(bytes(range(20))))
    assert Lab().application.producer_of(proposer) == bytes(reversed(range(20)))


def test_a_stored_block_keeps_its_info() -> None:
    lab = Lab()
    made(lab)
    block = lab.application.ledger.head()
    again = decode_block(encode_block(block), CHAIN_ID)
    assert again == block
    assert info_of(again.transactions[-1]) == INFO


def test_a_chain_with_infos_is_exported_and_replayed() -> None:
    lab, other = Lab(), Lab()
    hashes = [made(lab), made(lab, NO_INFO), made(lab, INFO._replace(misbehavior=()))]
    assert import_chain(other.application, export_chain(lab.application.ledger)) == 3
    assert other.application.ledger.head().hash == hashes[-1]


def test_a_replay_with_another_info_is_another_block() -> None:
    lab = Lab()
    made(lab)
    stream = b"".join(export_chain(lab.application.ledger))
    with pytest.raises(ImportFailed, match="comes out differently"):
        import_chain(Lab().application, [stream.replace(encode_info(INFO), encode_info(INFO._replace(proposer=TWO)))])
    damaged = encode_info(INFO)[:-1] + b"\xc1"
    with pytest.raises(ImportFailed, match="damaged"):
        import_chain(Lab().application, [stream.replace(encode_info(INFO), damaged)])
