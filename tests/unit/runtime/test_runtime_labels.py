"""Names and labels of what an agent puts on an engine."""

import pytest

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import LeaseId, Ordinal
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U16, U32, U64, Hash
from flux.runtime.checks import check_name
from flux.runtime.labels import (
    LEASE,
    PREFIX,
    InstanceKey,
    chain_name,
    container_name,
    find_instance,
    network_name,
    node_labels,
    volume_name,
)

NODE = NodeId(U32(7))
CHAIN = chain_name(19169, Hash(b"\x12\x34\x56\x78" + bytes(28)))
OTHER = chain_name(19169, Hash(b"\x12\x34\x56\x79" + bytes(28)))
KEY = InstanceKey(CHAIN, NODE, LeaseId(U64(42)), AppId(U64(3)), Ordinal(U16(0)), Revision(U32(2)))


def test_an_instance_is_found_again_by_the_labels_of_anything_it_has() -> None:
    assert find_instance(KEY.labels()) == KEY
    assert find_instance(KEY.component_labels("web", "abc")) == KEY
    assert KEY.labels().items() >= node_labels(CHAIN, NODE).items()


def test_a_chain_is_named_by_its_id_and_its_genesis() -> None:
    assert CHAIN == "19169-12345678"
    assert CHAIN != OTHER


def test_all_labels_are_under_our_prefix() -> None:
    assert all(name.startswith(PREFIX) for name in KEY.component_labels("web", "abc"))


@pytest.mark.parametrize("changes", [{LEASE: "x"}, {LEASE: ""}, {}])
def test_labels_that_make_no_sense_belong_to_nobody(changes: dict[str, str]) -> None:
    labels = {**KEY.labels(), **changes} if changes else {"com.example": "1"}
    assert find_instance(labels) is None


def test_names_are_valid_and_tell_instances_apart() -> None:
    names = {
        container_name(CHAIN, NODE, KEY.lease, "web"),
        container_name(CHAIN, NODE, KEY.lease, "db"),
        container_name(CHAIN, NODE, LeaseId(U64(43)), "web"),
        network_name(CHAIN, NODE, KEY.lease),
        volume_name(CHAIN, NODE, KEY.app, KEY.ordinal, "data"),
        container_name(OTHER, NODE, KEY.lease, "web"),
        network_name(OTHER, NODE, KEY.lease),
        volume_name(OTHER, NODE, KEY.app, KEY.ordinal, "data"),
    }
    assert len(names) == 8
    for name in names:
        check_name(name)
