"""Names and labels of what an agent puts on an engine."""

import pytest

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import LeaseId, Ordinal
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U16, U32, U64
from flux.runtime.checks import check_name
from flux.runtime.labels import (
    LEASE,
    PREFIX,
    InstanceKey,
    container_name,
    find_instance,
    network_name,
    node_labels,
    volume_name,
)

NODE = NodeId(U32(7))
KEY = InstanceKey(19169, NODE, LeaseId(U64(42)), AppId(U64(3)), Ordinal(U16(0)), Revision(U32(2)))


def test_an_instance_is_found_again_by_the_labels_of_anything_it_has() -> None:
    assert find_instance(KEY.labels()) == KEY
    assert find_instance(KEY.component_labels("web", "abc")) == KEY
    assert KEY.labels().items() >= node_labels(19169, NODE).items()


def test_all_labels_are_under_our_prefix() -> None:
    assert all(name.startswith(PREFIX) for name in KEY.component_labels("web", "abc"))


@pytest.mark.parametrize("changes", [{LEASE: "x"}, {LEASE: ""}, {}])
def test_labels_that_make_no_sense_belong_to_nobody(changes: dict[str, str]) -> None:
    labels = {**KEY.labels(), **changes} if changes else {"com.example": "1"}
    assert find_instance(labels) is None


def test_names_are_valid_and_tell_instances_apart() -> None:
    names = {
        container_name(NODE, KEY.lease, "web"),
        container_name(NODE, KEY.lease, "db"),
        container_name(NODE, LeaseId(U64(43)), "web"),
        network_name(NODE, KEY.lease),
        volume_name(NODE, KEY.app, KEY.ordinal, "data"),
    }
    assert len(names) == 5
    for name in names:
        check_name(name)
