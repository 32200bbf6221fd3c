"""What committed blocks did to apps and leases, as log lines whose ids join: transaction → app → lease → node.

The agent's lines and a container's labels name the lease again, so that one deployment can be followed through all.
"""

import structlog

from flux.chain.application import FinalizedBlock
from flux.contracts.apps.types import AppDeployed, AppStatusChanged, AppUpdated
from flux.contracts.market.types import (
    LeaseAssigned,
    LeaseClosed,
    LeaseRestored,
    LeaseResumed,
    LeaseRunning,
    LeaseStalled,
    LeaseSuspect,
)
from flux.kernel.events import Event, event_codec
from flux.primitives.hexadecimal import to_hex
from flux.services.observe.chain import reason_name

log = structlog.get_logger(__name__)
LINES_PER_BLOCK = 100
"""More events of a block are counted and not told one by one: a busy chain places thousands a second."""
_SENTENCES: dict[type[Event], str] = {
    AppDeployed: "app deployed",
    AppUpdated: "app updated",
    AppStatusChanged: "app status changed",
    LeaseAssigned: "lease assigned",
    LeaseRunning: "lease running",
    LeaseSuspect: "lease suspect",
    LeaseRestored: "lease restored",
    LeaseStalled: "lease stalled",
    LeaseResumed: "lease resumed",
    LeaseClosed: "lease closed",
}
_CODECS = {codec.topic0: (codec, sentence) for codec, sentence in ((event_codec(e), s) for e, s in _SENTENCES.items())}
_FACTS = ("app", "lease", "node", "ordinal", "revision", "status", "reason", "detail", "replaces")


def tell(finalized: FinalizedBlock) -> None:
    """Log what a committed block did, what was dropped from it and which faults it met."""
    block = finalized.block.number
    for transaction, error in finalized.dropped:
        log.info("transaction dropped", transaction=to_hex(transaction.hash), reason=str(error))
    for fault in finalized.faults:
        log.error("contract fault", fault=str(fault))
    happened = [
        (transaction, entry, *_CODECS[entry.topics[0]])
        for transaction, receipt in zip(finalized.block.transactions, finalized.receipts, strict=True)
        for entry in receipt.logs
        if entry.topics and entry.topics[0] in _CODECS
    ]
    for transaction, entry, codec, sentence in happened[:LINES_PER_BLOCK]:
        event = codec.decode(list(entry.topics), entry.data)
        facts = {name: getattr(event, name) for name in _FACTS if hasattr(event, name)}
        if isinstance(event, LeaseClosed):
            facts["reason"] = reason_name(event.reason)
        log.info(sentence, block=block, transaction=to_hex(transaction.hash), **facts)
    if len(happened) > LINES_PER_BLOCK:
        log.info("more events in this block", block=block, events=len(happened) - LINES_PER_BLOCK)
