"""Evidence as a file: what an agent keeps is what the chain is given; anything else is refused with the reason."""

import json
from pathlib import Path

import pytest

from flux.agent.challenges.evidence import BadEvidence, keep, read
from flux.agent.challenges.examiner import FalseAnswer
from flux.agent.challenges.tasks import CpuTask
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32

LIE = FalseAnswer(CpuTask(7, b"\x03" * 32, 2, 4), b"results", 5, b"signature")


def test_evidence_that_is_kept_can_be_sent(tmp_path: Path) -> None:
    path = keep(tmp_path / "evidence", NodeId(U32(3)), LIE)
    found = read(path)
    assert (found.node, found.epoch, found.seed, found.length) == (3, 7, b"\x03" * 32, 4)
    assert (found.results, found.position, found.signature) == (b"results", 5, b"signature")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": "0x00"}, "wrong size"),
        ({"node": -1}, "wrong size"),
        ({"epoch": 2**64}, "wrong size"),
        ({"results": "zz"}, "is no evidence"),
        ({"position": None}, "is no evidence"),
        ({"signature": 5}, "is no evidence"),
    ],
)
def test_a_file_that_is_no_evidence_is_refused(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    path = keep(tmp_path, NodeId(U32(3)), LIE)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadEvidence, match=reason):
        read(path)


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadEvidence, match="cannot be read"):
        read(tmp_path / "nothing")
    (tmp_path / "text").write_text("[]")
    with pytest.raises(BadEvidence, match="is no evidence"):
        read(tmp_path / "text")
