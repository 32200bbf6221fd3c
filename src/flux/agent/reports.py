"""Reports to the chain through the free protocol lane. A report the chain refuses is over: its reason is logged."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from flux.agent.challenges.evidence import keep
from flux.agent.challenges.examiner import FalseAnswer
from flux.contracts.apps.types import AppId, Revision
from flux.contracts.benchmarks.types import Measurement
from flux.contracts.market.types import FailReason, LeaseId, PortBinding
from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import Epoch, TargetCount
from flux.contracts.secrets.types import SealedSeed, SharedSeed
from flux.primitives.types import U32, Hash
from flux.sdk.bindings.benchmarks import Benchmarks
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.probes import Probes
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.bindings.validators import Validators
from flux.sdk.client import FluxClient, Receipt
from flux.sdk.errors import ClientError, Refused
from flux.sdk.signer import Signer

log = structlog.get_logger(__name__)
Send = Callable[..., Awaitable[Receipt]]


class ChainReporter:
    """Sends this node's reports, one at a time, so that their nonces stay in order."""

    def __init__(self, client: FluxClient, signer: Signer, evidence: Path) -> None:
        """`evidence` is the folder where false answers are kept."""
        self._benchmarks = Benchmarks(client)
        self._market = Market(client)
        self._nodes = Nodes(client)
        self._probes = Probes(client)
        self._secrets = Secrets(client)
        self._validators = Validators(client)
        self._signer = signer
        self._evidence = evidence
        self._turn = asyncio.Lock()

    async def confirm(self, lease: LeaseId, bindings: tuple[PortBinding, ...]) -> bool:
        """The instance runs. False when the chain did not take it."""
        return await self._report("confirm", lease, self._market.confirm, lease, list(bindings))

    async def fail(self, lease: LeaseId, reason: FailReason, detail: str) -> bool:
        """The instance cannot run here."""
        return await self._report("fail", lease, self._market.fail, lease, reason, detail)

    async def stalled(self, lease: LeaseId) -> bool:
        """Nothing of a running lease runs here until it is started again."""
        return await self._report("stalled", lease, self._market.stall, lease)

    async def resumed(self, lease: LeaseId) -> bool:
        """A stalled lease runs again."""
        return await self._report("resumed", lease, self._market.resume, lease)

    async def stopped(self, lease: LeaseId) -> bool:
        """Nothing of a closed lease runs here any more."""
        return await self._report("stopped", lease, self._market.stopped, lease)

    async def hold(self, app: AppId, images: Hash) -> bool:
        """We stand by for an app and hold its images."""
        return await self._report("hold", app, self._market.hold, app, images)

    async def let_go(self, app: AppId) -> bool:
        """We stand by for an app and cannot hold its images."""
        return await self._report("let go", app, self._market.let_go, app)

    async def hand_over(self, lease: LeaseId, app: int, box: bytes) -> bool:
        """Another node's lease gets the app's seed, sealed to it."""
        return await self._report("hand over", lease, self._secrets.hand_over, app, SealedSeed(lease, box))

    async def share(self, app: AppId, revision: Revision, shared: SharedSeed) -> bool:
        """What the next sharing of a seed among keepers is."""
        return await self._report("share", app, self._secrets.share, app, revision, shared)

    async def activate(self) -> bool:
        """The node is ready to host."""
        return await self._report("activate", 0, self._nodes.activate)

    async def suspect(self, node: NodeId) -> bool:
        """A node of ours to watch does not answer."""
        return await self._report("suspect", node, self._probes.suspect, node)

    async def alive(self) -> bool:
        """We are under suspicion and alive."""
        return await self._report("alive", 0, self._probes.alive)

    async def reached(self, node: NodeId) -> bool:
        """A suspect node answers us."""
        return await self._report("reached", node, self._probes.reached, node)

    async def reveal(self, preimage: Hash) -> bool:
        """Our part of the next epoch's seed."""
        return await self._report("reveal", 0, self._validators.reveal, preimage)

    async def renew_onion(self, onion: Hash, reveals: U32) -> bool:
        """Our onion is used up; this is the next one."""
        return await self._report("renew onion", 0, self._validators.renew_onion, onion, reveals)

    async def benchmark(self, node: NodeId, measurement: Measurement) -> bool:
        """What we measured of a node of our committees."""
        return await self._report("benchmark", node, self._benchmarks.report, node, measurement)

    async def accuse(self, node: NodeId, answer: FalseAnswer) -> bool:
        """A node signed a processor answer one step of which does not follow."""
        path = await asyncio.to_thread(keep, self._evidence, node, answer)
        log.warning("evidence was kept; send it with `flux jury prosecute --evidence FILE`", node=node, file=str(path))
        return True

    async def availability(self, epoch: Epoch, digest: Hash, counts: list[TargetCount]) -> bool:
        """What we saw of our targets in an epoch that is over."""
        return await self._report("availability", epoch, self._probes.report, epoch, digest, counts)

    async def _report(self, kind: str, subject: int, send: Send, *arguments: object) -> bool:
        async with self._turn:
            try:
                await send(self._signer, *arguments)
            except Refused as refused:
                name = type(refused.revert).__name__
                log.info("report refused", report=kind, subject=subject, error=name, reason=str(refused))
                return False
            except ClientError as error:
                log.warning("report not delivered", report=kind, subject=subject, reason=str(error))
                return False
        log.info("report included", report=kind, subject=subject)
        return True
