"""The part of the agent's API by which others measure this node: signed by the agent of a member of its committee."""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from flux.agent.api.auth import Authoriser
from flux.agent.challenges.budget import BudgetSpent
from flux.agent.challenges.plot import PlotPlan
from flux.agent.challenges.prover import PlotNotReady, Prover
from flux.agent.challenges.tasks import BadTask, CpuTask, DiskTask, MemoryTask, Sizes, TransferTask, block_index
from flux.primitives.types import Address

Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Round:
    """What the chain says of this epoch's measurement of this node."""

    epoch: int
    members: frozenset[Address]
    """Agents of the committee; empty when the node is not measured in this epoch."""
    plot: PlotPlan


class RoundSource(Protocol):
    """The chain as these handlers need it."""

    async def sizes(self) -> Sizes: ...
    async def round(self) -> Round: ...
    async def peers(self) -> Collection[Address]:
        """Agents of active nodes, which may time a transfer at any time (`flux node benchmark`)."""
        ...


class BenchmarkApi:
    """Handlers of one node."""

    def __init__(self, prover: Prover, authoriser: Authoriser, source: RoundSource) -> None:
        self._prover = prover
        self._authoriser = authoriser
        self._source = source

    def routes(self) -> list[web.RouteDef]:
        """All paths with their handlers."""
        paths: Mapping[str, Handler] = {
            "cpu": self.cpu,
            "memory": self.memory,
            "disk": self.disk,
            "disk/tags": self.tags,
            "disk/block": self.block,
            "network": self.network,
        }
        return [web.get(f"/v1/benchmark/{path}", _translated(handler)) for path, handler in paths.items()]

    async def cpu(self, request: web.Request) -> web.Response:
        """Results of chains of events, signed with the agent's key."""
        task = CpuTask.read(request.query, await self._source.sizes())
        present = await self._admit(request)
        if task.epoch != present.epoch:
            raise BadTask(f"this is epoch {present.epoch}")
        answer = await self._prover.cpu(task)
        return _json({"results": answer.results.hex(), "signature": answer.signature.hex()})

    async def memory(self, request: web.Request) -> web.Response:
        """Answers of memory-hard tasks."""
        task = MemoryTask.read(request.query)
        await self._admit(request)
        answers = await self._prover.memory(task.seed, await self._source.sizes())
        return _json({"answers": [answer.hex() for answer in answers]})

    async def disk(self, request: web.Request) -> web.Response:
        """The commitment to this epoch's plot."""
        present = await self._admit(request)
        return _json({"root": (await self._prover.plot_root(present.plot)).hex()})

    async def tags(self, request: web.Request) -> web.Response:
        """Tags of blocks of the plot."""
        task = DiskTask.read(request.query, await self._source.sizes())
        present = await self._admit(request)
        tags = await self._prover.tags(present.plot, task)
        return _json({"tags": [tag.hex() for tag in tags]})

    async def block(self, request: web.Request) -> web.Response:
        """A block of the plot with its Merkle proof."""
        index = block_index(request.query, await self._source.sizes())
        present = await self._admit(request)
        block, proof = await self._prover.block(present.plot, index)
        return _json({"block": block.hex(), "proof": [sibling.hex() for sibling in proof]})

    async def network(self, request: web.Request) -> web.Response:
        """Bytes that the caller's seed determines."""
        task = TransferTask.read(request.query)
        target = request.path_qs
        await self._authoriser.check_among(request.headers, request.method, target, self._source.peers)
        data = await self._prover.transfer(task, await self._source.sizes())
        return web.Response(body=data, content_type="application/octet-stream")

    async def _admit(self, request: web.Request) -> Round:
        """The present round, of whose committee the caller must be."""
        present = await self._source.round()

        async def members() -> Collection[Address]:
            return present.members

        await self._authoriser.check_among(request.headers, request.method, request.path_qs, members)
        return present


def _translated(handler: Handler) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except BadTask as error:
            return web.Response(status=400, text=str(error))
        except PlotNotReady as error:
            return web.Response(status=503, text=str(error))
        except BudgetSpent as error:
            return web.Response(status=429, text=str(error), headers={"Retry-After": f"{error.seconds:.0f}"})
        except OSError as error:
            return web.Response(status=500, text=f"the benchmark file cannot be read: {error.strerror}")

    return answer


def _json(document: Mapping[str, object]) -> web.Response:
    return web.Response(text=json.dumps(document), content_type="application/json")
