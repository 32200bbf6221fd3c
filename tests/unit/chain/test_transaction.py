import json
from contextlib import suppress
from pathlib import Path

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from flux.chain import transaction_errors as errors
from flux.chain.system_transaction import is_system, system_transaction
from flux.chain.transaction import Transaction, check_intrinsic_gas, decode, intrinsic_gas
from flux.primitives import rlp
from flux.primitives.signature import CURVE_ORDER, HALF_CURVE_ORDER
from flux.primitives.types import U64, U256, Hash, Height, Wei
from support.transactions import CHAIN_ID, GWEI, KEY, PARAMS, RECIPIENT, signed

SENDER = bytes.fromhex(Account.from_key(KEY).address[2:])
VECTORS = json.loads((Path(__file__).parents[2] / "vectors/ethereum/transactions.json").read_text())
ACCESS_LIST = [{"address": RECIPIENT, "storageKeys": ["0x" + "33" * 32, "0x" + "44" * 32]}]


@pytest.mark.parametrize("name", [name for name in VECTORS if not name.startswith("_")])
def test_public_ethereum_vector(name: str) -> None:
    vector = VECTORS[name]
    raw = bytes.fromhex(vector["txbytes"][2:])
    if "exception" in vector:
        with pytest.raises(getattr(errors, vector["error"])):
            decode(raw, 1)
        return
    transaction = decode(raw, 1)
    assert transaction.hash.hex() == vector["hash"][2:]
    assert transaction.recover().hex() == vector["sender"][2:]
    assert intrinsic_gas(transaction, PARAMS) == int(vector["intrinsicGas"], 16)


def test_a_legacy_transaction_decodes_to_its_fields_and_signer() -> None:
    transaction = decode(signed(gasPrice=3 * GWEI, nonce=7, data=b"\x01\x00"), CHAIN_ID)
    assert (transaction.type, transaction.chain_id, transaction.nonce) == (0, CHAIN_ID, 7)
    assert (transaction.max_fee, transaction.max_priority_fee) == (3 * GWEI, 3 * GWEI)
    assert (transaction.to, transaction.value, transaction.data) == (bytes.fromhex("22" * 20), 1, b"\x01\x00")
    assert transaction.v == CHAIN_ID * 2 + 35 + transaction.y_parity
    assert transaction.recover() == transaction.sender == SENDER


def test_an_access_list_transaction_decodes_to_its_fields_and_signer() -> None:
    transaction = decode(signed(gasPrice=3 * GWEI, accessList=ACCESS_LIST), CHAIN_ID)
    assert transaction.type == 1
    assert transaction.access_list == ((bytes.fromhex("22" * 20), (b"\x33" * 32, b"\x44" * 32)),)
    assert transaction.recover() == SENDER


def test_a_dynamic_fee_transaction_decodes_to_its_fields_and_signer() -> None:
    transaction = decode(signed(accessList=ACCESS_LIST, value=5), CHAIN_ID)
    assert (transaction.type, transaction.value) == (2, 5)
    assert (transaction.max_fee, transaction.max_priority_fee) == (2 * GWEI, GWEI)
    assert transaction.recover() == SENDER


@given(
    nonce=st.integers(0, 2**64 - 2),
    value=st.integers(0, 2**256 - 1),
    tip=st.integers(0, 2**64),
    extra=st.integers(0, 2**64),
    data=st.binary(max_size=80),
    kind=st.sampled_from(["legacy", "access", "dynamic"]),
)
def test_any_transaction_of_another_implementation_keeps_hash_and_signer(
    nonce: int, value: int, tip: int, extra: int, data: bytes, kind: str
) -> None:
    fees = (
        {"maxFeePerGas": tip + extra, "maxPriorityFeePerGas": tip} if kind == "dynamic" else {"gasPrice": tip + extra}
    )
    access = {"accessList": ACCESS_LIST} if kind == "access" else {}
    body = {"chainId": CHAIN_ID, "nonce": nonce, "gas": 90_000, "to": RECIPIENT, "value": value, "data": data}
    made = Account.sign_transaction(body | fees | access, KEY)
    transaction = decode(bytes(made.raw_transaction), CHAIN_ID)
    assert transaction.hash == bytes(made.hash)
    assert (transaction.r, transaction.s, transaction.v) == (made.r, made.s, made.v)
    assert transaction.recover() == SENDER


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_with_a_typed_error(raw: bytes) -> None:
    with pytest.raises(errors.TransactionError):
        decode(raw, CHAIN_ID)


@given(st.data())
def test_one_changed_byte_never_decodes_to_the_same_signer_and_content(data: st.DataObject) -> None:
    raw = bytearray(signed(accessList=ACCESS_LIST))
    index = data.draw(st.integers(0, len(raw) - 1))
    raw[index] ^= data.draw(st.integers(1, 255))
    with suppress(errors.TransactionError):
        assert decode(bytes(raw), CHAIN_ID).recover() != SENDER


def _fields(raw: bytes) -> list[rlp.Rlp]:
    items = rlp.decode(raw if raw[0] >= 0xC0 else raw[1:])
    assert isinstance(items, list)
    return items


def _with(raw: bytes, index: int, value: rlp.Rlp) -> bytes:
    items = _fields(raw)
    items[index] = value
    return (b"" if raw[0] >= 0xC0 else raw[:1]) + rlp.encode(items)


def test_a_transaction_over_the_size_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(errors.OversizedData, match="oversized data: transaction size 300, limit 299"):
        decode(bytes(300), CHAIN_ID, max_bytes=299)


def test_a_transaction_for_another_chain_is_refused() -> None:
    with pytest.raises(errors.WrongChain, match="invalid chain id for signer: have 1 want 19169"):
        decode(signed(chainId=1), CHAIN_ID)
    with pytest.raises(errors.InvalidSender, match="invalid chain id for signer"):
        decode(signed(chainId=1, gasPrice=1), CHAIN_ID)


def test_a_transaction_without_replay_protection_is_refused() -> None:
    raw = _with(signed(gasPrice=1), 6, b"\x1b")
    with pytest.raises(errors.UnprotectedTransaction, match="only replay-protected"):
        decode(raw, CHAIN_ID)


def test_contract_creation_is_refused_because_there_is_no_user_bytecode() -> None:
    with pytest.raises(errors.ContractCreation, match="Flux runs no user bytecode"):
        decode(_with(signed(), 5, b""), CHAIN_ID)


@pytest.mark.parametrize("kind", [0, 3, 4, 0x7F, 0x80, 0xBF])
def test_other_types_are_refused(kind: int) -> None:
    with pytest.raises(errors.UnsupportedType, match="transaction type not supported"):
        decode(bytes([kind]) + signed()[1:], CHAIN_ID)


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (10, b""),
        (11, b""),
        (10, CURVE_ORDER.to_bytes(32, "big")),
        (11, (HALF_CURVE_ORDER + 1).to_bytes(32, "big")),
        (9, b"\x02"),
        (9, b"\x01\x00"),
    ],
)
def test_a_signature_out_of_range_is_refused(index: int, value: bytes) -> None:
    with pytest.raises(errors.InvalidSender, match="invalid transaction v, r, s values"):
        decode(_with(signed(), index, value), CHAIN_ID)


def test_a_legacy_v_below_35_that_is_not_27_or_28_is_refused() -> None:
    with pytest.raises(errors.InvalidSender, match="v is 29"):
        decode(_with(signed(gasPrice=1), 6, b"\x1d"), CHAIN_ID)


def test_a_signature_that_no_key_can_have_made_is_refused_when_recovered() -> None:
    unsolvable = next(r for r in range(1, 20) if pow(r**3 + 7, (2**256 - 2**32 - 978) // 2, 2**256 - 2**32 - 977) != 1)
    transaction = decode(_with(signed(), 10, bytes([unsolvable])), CHAIN_ID)
    with pytest.raises(errors.InvalidSender, match="no key can have made"):
        transaction.recover()


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (1, b"\x00", "nonce has leading zeros"),
        (1, b"\x01" * 9, "nonce has more than 64 bits"),
        (3, b"\x01" * 33, "max fee has more than 256 bits"),
        (4, b"\x01" * 9, "gas limit has more than 64 bits"),
        (5, b"\x01" * 19, "the recipient has 20 bytes, got 19"),
        (6, b"\x01" * 33, "value has more than 256 bits"),
        (7, [], "a field that must be a string is a list"),
        (8, b"\x01", "the access list must be a list"),
        (8, [[b"\x22" * 20]], "an entry of the access list"),
        (8, [[b"\x22" * 20, [b"\x01" * 31]]], "a storage key in the access list must have 32 bytes"),
        (8, [[b"\x22" * 20, [[]]]], "a storage key in the access list must have 32 bytes"),
    ],
)
def test_a_field_of_the_wrong_shape_is_refused(index: int, value: rlp.Rlp, message: str) -> None:
    with pytest.raises(errors.Undecodable, match=message):
        decode(_with(signed(), index, value), CHAIN_ID)


def test_what_is_not_a_list_of_the_right_length_is_refused() -> None:
    with pytest.raises(errors.Undecodable, match="the transaction is empty"):
        decode(b"", CHAIN_ID)
    with pytest.raises(errors.Undecodable, match="got a string"):
        decode(b"\x02\x83abc", CHAIN_ID)
    with pytest.raises(errors.Undecodable, match="has 9 fields, got 8"):
        decode(rlp.encode([b""] * 8), CHAIN_ID)


def test_a_tip_above_the_fee_cap_is_refused() -> None:
    with pytest.raises(errors.TipAboveFeeCap, match="max priority fee per gas higher than max fee per gas"):
        decode(_with(signed(), 2, b"\x01" * 20), CHAIN_ID)


def test_the_highest_nonce_is_refused_because_no_nonce_follows_it() -> None:
    with pytest.raises(errors.NonceMax, match="nonce has max value"):
        decode(signed(nonce=2**64 - 1), CHAIN_ID)


def test_a_fee_that_overflows_256_bits_is_refused() -> None:
    with pytest.raises(errors.GasUintOverflow):
        decode(signed(maxFeePerGas=2**255), CHAIN_ID)


def test_gas_below_the_intrinsic_cost_is_refused() -> None:
    transaction = decode(signed(data=b"\x00\x01", accessList=ACCESS_LIST, gas=27_219), CHAIN_ID)
    assert intrinsic_gas(transaction, PARAMS) == 21_000 + 4 + 16 + 2_400 + 2 * 1_900
    with pytest.raises(errors.IntrinsicGasTooLow, match="intrinsic gas too low: gas 27219, minimum needed 27220"):
        check_intrinsic_gas(transaction, PARAMS)
    check_intrinsic_gas(decode(signed(data=b"\x00\x01", accessList=ACCESS_LIST, gas=27_220), CHAIN_ID), PARAMS)


def test_price_and_tip_follow_the_base_fee() -> None:
    transaction = decode(signed(), CHAIN_ID)
    assert transaction.effective_price(_wei(GWEI // 2)) == GWEI + GWEI // 2
    assert transaction.effective_price(_wei(3 * GWEI)) == 2 * GWEI
    assert transaction.effective_tip(_wei(GWEI // 2)) == GWEI
    assert transaction.effective_tip(_wei(2 * GWEI - 3)) == 3
    assert transaction.effective_tip(_wei(3 * GWEI)) == -GWEI
    assert transaction.max_cost == 21_000 * 2 * GWEI + 1
    assert not transaction.is_free
    assert decode(signed(maxFeePerGas=0, maxPriorityFeePerGas=0), CHAIN_ID).is_free


def test_equal_encodings_are_equal_transactions() -> None:
    one, other = decode(signed(), CHAIN_ID), decode(signed(), CHAIN_ID)
    assert one == other
    assert len({one, other}) == 1
    assert one != decode(signed(nonce=1), CHAIN_ID)
    assert one != one.raw
    assert repr(one) == f"Transaction(0x{one.hash.hex()}, type=2, nonce=0)"


def test_the_system_transaction_names_height_and_parent_and_cannot_be_sent() -> None:
    system = system_transaction(Height(U64(258)), Hash(b"\x07" * 32))
    assert rlp.decode_flat(system.raw)[0] == b"\x01\x02"
    assert (system.nonce, system.data, system.gas_limit, system.max_fee) == (258, b"\x07" * 32, 0, 0)
    assert is_system(system)
    assert not is_system(_recovered())
    assert system.hash != system_transaction(Height(U64(259)), Hash(b"\x07" * 32)).hash
    with pytest.raises(errors.InvalidSender):
        decode(system.raw, CHAIN_ID)


def _recovered() -> Transaction:
    transaction = decode(signed(), CHAIN_ID)
    transaction.recover()
    return transaction


def _wei(number: int) -> Wei:
    return Wei(U256(number))
