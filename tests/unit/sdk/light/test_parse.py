"""Light blocks out of JSON that may be anything."""

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux.sdk.light.errors import Malformed
from flux.sdk.light.parse import MAX_VALIDATORS, parse_light_block

RUN: dict[str, Any] = json.loads((Path(__file__).parents[3] / "vectors" / "cometbft" / "kvstore.json").read_text())
GOOD: dict[str, Any] = RUN["blocks"][-1]

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=70), st.binary(max_size=4))
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*at, key))
    return found


@settings(max_examples=300, deadline=None)
@given(where=st.sampled_from(places(GOOD)), value=json_values)
def test_any_part_replaced_by_anything_is_read_or_malformed(where: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(GOOD)
    parent = document
    for key in where[:-1]:
        parent = parent[key]
    parent[where[-1]] = value
    with suppress(Malformed):
        parse_light_block(document)


@settings(max_examples=100)
@given(json_values)
def test_anything_else_is_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        parse_light_block(value)


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(GOOD)
    *parents, last = path.split(".")
    parent: Any = document
    for name in parents:
        parent = parent[int(name)] if isinstance(parent, list) else parent[name]
    parent[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("signed_header.header.height", "0"),
        ("signed_header.header.height", "9223372036854775808"),
        ("signed_header.header.height", "١٢"),
        ("signed_header.header.height", 5),
        ("signed_header.header.time", "2026-13-01T00:00:00Z"),
        ("signed_header.header.time", "2026-01-01T00:00:00+01:00"),
        ("signed_header.header.time", "2026-01-01T00:00:00.1234567891Z"),
        ("signed_header.header.chain_id", "x" * 51),
        ("signed_header.header.chain_id", ""),
        ("signed_header.header.data_hash", "AB" * 31),
        ("signed_header.header.app_hash", "AB" * 65),
        ("signed_header.commit.round", -1),
        ("signed_header.commit.round", True),
        ("signed_header.commit.block_id.parts.total", 1 << 32),
        ("signed_header.commit.signatures.0.block_id_flag", 4),
        ("signed_header.commit.signatures.0.signature", "AAAA"),
        ("signed_header.commit.signatures.0.signature", "not base64!"),
        ("signed_header.commit.signatures", [{}] * (MAX_VALIDATORS + 1)),
        ("validators.0.voting_power", "0"),
        ("validators.0.voting_power", "-5"),
        ("validators.0.address", "00" * 20),
        ("validators.0.pub_key.type", "tendermint/PubKeySecp256k1"),
    ],
)
def test_what_is_out_of_bounds_is_malformed(path: str, value: Any) -> None:
    with pytest.raises(Malformed):
        parse_light_block(changed(path, value))
