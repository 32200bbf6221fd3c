"""Pure decisions of slashing: the table of penalties, evidence, strikes, and when a jury has spoken."""

from collections.abc import Iterable

from flux.contracts.nodes.types import Node
from flux.contracts.slashing.types import FaultKind, SlashingParams, Strikes
from flux.contracts.staking.types import PartsPerMillion
from flux.primitives import cpu_work
from flux.primitives.signature import Signature, SignatureError, recover
from flux.primitives.types import U16, Address, ChainTime, Hash

MAX_EVENTS = 256 * 200
"""Events of one answer: most chains times longest chains that parameters may ask for."""
MAX_REASON = 500


def penalty(params: SlashingParams, kind: FaultKind) -> PartsPerMillion:
    """What a fault costs."""
    return {
        FaultKind.FALSE_BENCHMARK: params.false_benchmark,
        FaultKind.FALSE_SUSPICION: params.false_suspicion,
        FaultKind.ABANDONED_LEASES: params.abandoned_leases,
    }[kind]


def find_forgery(
    node: Node, epoch: int, seed: bytes, length: int, results: bytes, position: int, signature: bytes
) -> str | None:
    """Why the evidence proves nothing; None when the node signed this answer and the step does not follow.

    The step is done once more: about 5,000 iterations of PBKDF2, whatever the evidence says.
    """
    events, rest = divmod(len(results), cpu_work.EVENT_BYTES)
    if rest or not 0 < events <= MAX_EVENTS or not 0 < length <= events or events % length:
        return "the results are no whole chains of events"
    if position >= events or events // length > 1 << 16:
        return "there is no such step"
    if len(seed) != cpu_work.EVENT_BYTES:
        return "a seed has 32 bytes"
    if _signer(cpu_work.answer_hash(node.id, epoch, seed, length, results), signature) != node.agent:
        return "the node's agent did not sign this answer"
    if cpu_work.follows(seed, results, length, position):
        return "the step follows from the one before"
    return None


def struck(known: Strikes | None, now: ChainTime, params: SlashingParams) -> Strikes:
    """One strike more; those before the window are forgotten."""
    if known is None or now - known.since > params.strike_window:
        return Strikes(U16(1), now)
    return known.but(count=U16(known.count + 1))


def is_guilty(votes: Iterable[bool], seats: int) -> bool:
    """More than half of all seats, silent ones included: doubt is for the accused."""
    return 2 * sum(votes) > seats


def _signer(message: Hash, signature: bytes) -> Address | None:
    try:
        parsed = Signature.from_bytes(signature)
        return recover(message, parsed.y_parity, parsed.r, parsed.s)
    except SignatureError:
        return None
