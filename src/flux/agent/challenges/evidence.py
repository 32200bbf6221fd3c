"""False answers as files: what an agent keeps and anybody sends to the chain, since agents hold no FLUX to pay with."""

import json
from dataclasses import dataclass
from pathlib import Path

from flux.agent.challenges.examiner import FalseAnswer
from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import Epoch
from flux.primitives.hexadecimal import HexError, from_hex, to_hex
from flux.primitives.types import U32, U64, Hash


class BadEvidence(Exception):
    """The file is no evidence; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Arguments of `Slashing.proveFalseAnswer`."""

    node: NodeId
    epoch: Epoch
    seed: Hash
    length: U32
    results: bytes
    position: U32
    signature: bytes


def keep(folder: Path, node: NodeId, answer: FalseAnswer) -> Path:
    """Write a false answer into the folder; its path."""
    task = answer.task
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"node-{node}-epoch-{task.epoch}.json"
    document = {
        "node": node,
        "epoch": task.epoch,
        "seed": to_hex(task.seed),
        "length": task.length,
        "results": to_hex(answer.results),
        "position": answer.position,
        "signature": to_hex(answer.signature),
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path


def read(path: Path) -> Evidence:
    """The evidence of a file. Raises BadEvidence."""
    try:
        document = json.loads(path.read_text())
        numbers = [int(document[name]) for name in ("node", "epoch", "length", "position")]
        seed, results, signature = (from_hex(document[name]) for name in ("seed", "results", "signature"))
    except OSError as error:
        raise BadEvidence(f"{path} cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, AttributeError, HexError) as error:
        raise BadEvidence(f"{path} is no evidence: {type(error).__name__}: {error}") from error
    bounds = (2**32, 2**64, 2**32, 2**32)
    if len(seed) != 32 or not all(0 <= number < bound for number, bound in zip(numbers, bounds, strict=True)):
        raise BadEvidence(f"{path} is no evidence: a number or the seed has the wrong size")
    node, epoch, length, position = numbers
    return Evidence(NodeId(U32(node)), Epoch(U64(epoch)), Hash(seed), U32(length), results, U32(position), signature)
