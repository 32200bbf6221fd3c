"""Light blocks from the JSON of CometBFT's RPC (`signed_header` of /commit, `validators` of /validators), and back.

The JSON comes from an endpoint that may lie: whatever is not exactly of this shape is Malformed.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flux.sdk.light.errors import Malformed
from flux.sdk.light.types import SECOND, BlockId, Commit, CommitSignature, Flag, Header, LightBlock, Validator

MAX_VALIDATORS = 10_000
"""As many votes as CometBFT allows in a commit."""
_MAX_INT64 = (1 << 63) - 1
_KEY_TYPE = "tendermint/PubKeyEd25519"
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_light_block(document: object) -> LightBlock:
    """The light block of a `flux_lightBlock` answer. Raises Malformed."""
    try:
        body = _mapping(document)
        signed = _mapping(body["signed_header"])
        validators = tuple(map(_validator, _list(body["validators"])))
        return LightBlock(_header(_mapping(signed["header"])), _commit(_mapping(signed["commit"])), validators)
    except KeyError as error:
        raise Malformed(f"the light block has no {error}") from error


def to_document(block: LightBlock) -> dict[str, object]:
    """The JSON that `parse_light_block` reads."""
    header, commit = block.header, block.commit
    return {
        "signed_header": {
            "header": {
                "version": {"block": str(header.version_block), "app": str(header.version_app)},
                "chain_id": header.chain_id,
                "height": str(header.height),
                "time": _time_text(header.time),
                "last_block_id": _block_id_document(header.last_block_id),
                **{name: getattr(header, name).hex().upper() for name in _HASHES},
                "proposer_address": header.proposer_address.hex().upper(),
            },
            "commit": {
                "height": str(commit.height),
                "round": commit.round,
                "block_id": _block_id_document(commit.block_id),
                "signatures": [
                    {
                        "block_id_flag": int(item.flag),
                        "validator_address": item.address.hex().upper(),
                        "timestamp": _time_text(item.time),
                        "signature": base64.b64encode(item.signature).decode() if item.signature else None,
                    }
                    for item in commit.signatures
                ],
            },
        },
        "validators": [
            {
                "address": item.address.hex().upper(),
                "pub_key": {"type": _KEY_TYPE, "value": base64.b64encode(item.public_key).decode()},
                "voting_power": str(item.power),
            }
            for item in block.validators
        ],
    }


_HASHES = (
    "last_commit_hash",
    "data_hash",
    "validators_hash",
    "next_validators_hash",
    "consensus_hash",
    "app_hash",
    "last_results_hash",
    "evidence_hash",
)


def _header(body: Mapping[str, Any]) -> Header:
    version = _mapping(body["version"])
    chain_id = body["chain_id"]
    if not isinstance(chain_id, str) or not 0 < len(chain_id.encode()) <= 50:
        raise Malformed("a chain id is a text of 1 to 50 bytes")
    return Header(
        _integer(version["block"]),
        _integer(version.get("app", "0")),
        chain_id,
        _integer(body["height"], least=1),
        _time(body["time"]),
        _block_id(_mapping(body["last_block_id"])),
        _hash(body["last_commit_hash"]),
        _hash(body["data_hash"]),
        _hash(body["validators_hash"]),
        _hash(body["next_validators_hash"]),
        _hash(body["consensus_hash"]),
        # Whatever form the application gives it; `state` insists on ours.
        _hex(body["app_hash"], *range(65)),
        _hash(body["last_results_hash"]),
        _hash(body["evidence_hash"]),
        _hex(body["proposer_address"], 20),
    )


def _commit(body: Mapping[str, Any]) -> Commit:
    signatures = tuple(map(_signature, _list(body["signatures"])))
    round = body["round"]
    if type(round) is not int or not 0 <= round < 1 << 31:
        raise Malformed("a round is an integer of 31 bits")
    return Commit(_integer(body["height"], least=1), round, _block_id(_mapping(body["block_id"])), signatures)


def _signature(body: object) -> CommitSignature:
    item = _mapping(body)
    flag = item["block_id_flag"]
    if type(flag) is not int or flag not in (1, 2, 3):
        raise Malformed("a vote's flag is 1, 2 or 3")
    if flag == Flag.ABSENT:
        return CommitSignature(Flag.ABSENT, b"", 0, b"")
    address, signature = _hex(item["validator_address"], 20), _base64(item["signature"], 64)
    return CommitSignature(Flag(flag), address, _time(item["timestamp"]), signature)


def _validator(body: object) -> Validator:
    item = _mapping(body)
    key = _mapping(item["pub_key"])
    if key.get("type") != _KEY_TYPE:
        raise Malformed("a validator has a key that is not Ed25519")
    validator = Validator(_base64(key["value"], 32), _integer(item["voting_power"], least=1))
    if "address" in item and _hex(item["address"], 20) != validator.address:
        raise Malformed("a validator's address is not its key's")
    return validator


def _block_id(body: Mapping[str, Any]) -> BlockId:
    parts = _mapping(body["parts"])
    total = parts["total"]
    if type(total) is not int or not 0 <= total < 1 << 32:
        raise Malformed("a number of parts is an integer of 32 bits")
    return BlockId(_hex(body["hash"], 0, 32), total, _hex(parts["hash"], 0, 32))


def _block_id_document(block_id: BlockId) -> dict[str, object]:
    parts = {"total": block_id.parts_total, "hash": block_id.parts_hash.hex().upper()}
    return {"hash": block_id.hash.hex().upper(), "parts": parts}


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Malformed("expected a JSON object")
    return value


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list) or len(value) > MAX_VALIDATORS:
        raise Malformed(f"expected a JSON list of at most {MAX_VALIDATORS} items")
    return value


def _integer(value: object, *, least: int = 0) -> int:
    """CometBFT writes 64-bit integers as texts."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,19}", value) or not least <= int(value) <= _MAX_INT64:
        raise Malformed(f"expected an integer of at least {least} as a text")
    return int(value)


def _hex(value: object, *sizes: int) -> bytes:
    if isinstance(value, str) and re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", value) and len(value) // 2 in sizes:
        return bytes.fromhex(value)
    raise Malformed(f"expected {sizes[-1]} bytes in hex")


def _hash(value: object) -> bytes:
    """Empty where there is nothing to hash."""
    return _hex(value, 0, 32)


def _base64(value: object, size: int) -> bytes:
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except ValueError:
        data = b""
    if len(data) != size:
        raise Malformed(f"expected {size} bytes in base64")
    return data


def _time(value: object) -> int:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Malformed("expected a time such as 2026-01-31T12:00:00.5Z")
    whole, fraction = found.groups()
    try:
        moment = datetime.fromisoformat(whole + "+00:00")
    except ValueError as error:
        raise Malformed(f"{whole} is not a time") from error
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + int((fraction or "").ljust(9, "0"))


def _time_text(time: int) -> str:
    seconds, nanoseconds = divmod(time, SECOND)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{nanoseconds:09d}Z"
