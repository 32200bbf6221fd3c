"""Answers to benchmark tasks that are false and signed, as evidence files."""

from pathlib import Path

from flux.agent.challenges.evidence import keep
from flux.agent.challenges.examiner import FalseAnswer
from flux.agent.challenges.tasks import CpuTask
from flux.agent.identity import load
from flux.contracts.nodes.types import NodeId
from flux.primitives.cpu_work import answer_hash, run_chain
from flux.primitives.types import U32

SEED = b"\x03" * 32


def false_answer(home: Path, node: int, epoch: int = 0) -> Path:
    """A lie that the node in this FLUX_HOME signed."""
    results = run_chain(SEED, 0, 2)[:32] + bytes(32)
    signed = load(home / "node").signer.sign_hash(answer_hash(node, epoch, SEED, 2, results))
    lie = FalseAnswer(CpuTask(epoch, SEED, 1, 2), results, 1, signed.to_bytes())
    return keep(home / "evidence", NodeId(U32(node)), lie)
