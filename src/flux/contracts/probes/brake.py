"""The mass-failure brake: where too many nodes are lost at once, few of them are re-placed in any minute.

A node is *doubted* when more than a third of its committee voted against it: one sign earlier than suspicion, and one
that still comes when half of every committee is lost itself. Doubts of more than one in `brake_part` nodes within a
minute set the brake. Before that, up to one in `brake_rate` nodes a minute are re-placed at once; each further one
waits `brake_look` seconds, so that the losses of one moment are seen together. While the brake holds, suspect nodes get
their turns one after the other at a steady pace, never more than one in `brake_rate` in any minute. It is released when
nobody waits and doubts are few.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.ports import NodesPort
from flux.contracts.probes.state import ProbesState
from flux.contracts.probes.types import Brake, BrakeInfo, BrakeReleased, BrakeSet, ProbesParams
from flux.kernel.context import Context, Host
from flux.primitives.types import U8, U32, U64, ChainTime

BRAKE_TURN = 3
"""Kind of scheduled work."""
MINUTE = 60
MOST_AT_ONCE = 64
"""Nodes handled in one piece of work, so that no block has to do too much."""
MOST_DROPPED = 512
_DOUBTED = U8(1)
_REPLACED = U8(2)
_NEVER = ChainTime(U64(0))


class Recent:
    """Distinct nodes to which something happened within the last minute."""

    def __init__(self, state: ProbesState, kind: U8) -> None:
        self._state = state
        self._kind = kind

    def count(self, now: ChainTime) -> int:
        """How many; entries that are over are counted out, not removed."""
        over = sum(1 for _ in self._over(now))
        return (self._state.recent_count.find(self._kind) or 0) - over

    def add(self, now: ChainTime, node: NodeId) -> None:
        """It happened to a node, unless it is known."""
        self.drop_old(now)
        if self._state.recent_at.find((self._kind, node)) is None:
            self._state.recent.add((self._kind, now, node))
            self._state.recent_at.set((self._kind, node), now)
            self._change(1)

    def drop_old(self, now: ChainTime) -> None:
        """Remove a bounded number of entries that are over; each was paid for by the one that made it."""
        for at, node in list(islice(self._over(now), MOST_DROPPED)):
            self._remove(at, node)

    def discard(self, node: NodeId) -> None:
        """It turned out otherwise."""
        at = self._state.recent_at.find((self._kind, node))
        if at is not None:
            self._remove(at, node)

    def _over(self, now: ChainTime) -> Iterator[tuple[ChainTime, NodeId]]:
        for _, at, node in self._state.recent.under(self._kind.to_bytes(1, "big")):
            if now - at < MINUTE:
                return
            yield at, node

    def _remove(self, at: ChainTime, node: NodeId) -> None:
        self._state.recent.discard((self._kind, at, node))
        self._state.recent_at.delete((self._kind, node))
        self._change(-1)

    def _change(self, by: int) -> None:
        self._state.recent_count.set(self._kind, U32((self._state.recent_count.find(self._kind) or 0) + by))


class MassFailureBrake:
    """Decides when a suspect node is re-placed; the contract does it."""

    def __init__(self, host: Host, state: ProbesState, params: ProbesParams, nodes: NodesPort) -> None:
        self._host = host
        self._state = state
        self._params = params
        self._nodes = nodes
        self._doubted = Recent(state, _DOUBTED)
        self._replaced = Recent(state, _REPLACED)

    def info(self, ctx: Context) -> BrakeInfo:
        """Whether it holds, and about what."""
        waiting = sum(1 for _ in self._state.waiting)
        return BrakeInfo(self._state.brake.get(), U32(self._doubted.count(ctx.now)), U32(waiting))

    def holds(self) -> bool:
        """Whether lost nodes are taken for a fault of the observer."""
        return self._state.brake.get().since != _NEVER

    def calm_since(self) -> ChainTime | None:
        """When it last ceased to hold, 0 when it never held; None while it holds."""
        return None if self.holds() else self._state.brake.get().released_at

    def doubt(self, ctx: Context, node: NodeId) -> None:
        """More than a third of a committee cannot reach the node."""
        self._doubted.add(ctx.now, node)
        fleet, doubted = self._nodes.active_count(ctx), self._doubted.count(ctx.now)
        if self.holds() or fleet < self._params.brake_fleet or not self._is_mass(doubted, fleet):
            return
        brake = Brake(ctx.now, fleet, self._rate(fleet), self._state.brake.get().released_at)
        self._state.brake.set(brake)
        self._host.emit(BrakeSet(fleet, U32(doubted), brake.per_minute))
        self._schedule(ctx, ctx.now + _pace(brake.per_minute)[0])

    def admits(self, ctx: Context, node: NodeId) -> bool:
        """Whether a node that just became suspect is re-placed at once; if not, it waits for its turn."""
        fleet = self._nodes.active_count(ctx)
        if not self.holds() and (fleet < self._params.brake_fleet or self._replaced.count(ctx.now) < self._rate(fleet)):
            self._replaced.add(ctx.now, node)
            return True
        self._state.waiting.add((ctx.now, node))
        self._schedule(ctx, ctx.now + self._params.brake_look)
        return False

    def turns(self, ctx: Context) -> Sequence[NodeId]:
        """Nodes whose turn has come; when the rest is looked at is scheduled."""
        self._state.turn_at.set(_NEVER)
        self._doubted.drop_old(ctx.now)
        self._replaced.drop_old(ctx.now)
        ready = self._ready(ctx)
        for since, node in ready:
            self._state.waiting.discard((since, node))
            self._replaced.add(ctx.now, node)
        self._go_on(ctx)
        return [node for _, node in ready]

    def returned(self, node: NodeId, suspected_at: ChainTime) -> None:
        """A suspect node was reached after all."""
        self._state.waiting.discard((suspected_at, node))
        self._doubted.discard(node)

    def _ready(self, ctx: Context) -> list[tuple[ChainTime, NodeId]]:
        brake = self._state.brake.get()
        if brake.since:
            room = min(_pace(brake.per_minute)[1], max(0, brake.per_minute - self._replaced.count(ctx.now)))
            return list(islice(self._state.waiting, room))
        oldest = islice(self._state.waiting, MOST_AT_ONCE)
        return [(since, node) for since, node in oldest if since + self._params.brake_look <= ctx.now]

    def _go_on(self, ctx: Context) -> None:
        brake, first = self._state.brake.get(), next(iter(self._state.waiting), None)
        if brake.since:
            fleet = self._nodes.active_count(ctx)
            if first is not None or self._is_mass(self._doubted.count(ctx.now), fleet):
                self._schedule(ctx, ctx.now + _pace(brake.per_minute)[0])
            else:
                self._state.brake.set(Brake(_NEVER, U32(0), U32(0), ctx.now))
                self._host.emit(BrakeReleased(brake.since))
        elif first is not None:
            self._schedule(ctx, max(ctx.now + 1, first[0] + self._params.brake_look))

    def _is_mass(self, doubted: int, fleet: int) -> bool:
        return doubted * self._params.brake_part > fleet

    def _rate(self, fleet: int) -> U32:
        return U32(max(1, fleet // self._params.brake_rate))

    def _schedule(self, ctx: Context, at: int) -> None:
        """At most one entry is scheduled; whoever comes earlier than it waits for it."""
        if self._state.turn_at.get() == _NEVER:
            due = ChainTime(U64(at))
            self._state.turn_at.set(due)
            self._host.schedule(due, BRAKE_TURN, 0)


def _pace(per_minute: int) -> tuple[int, int]:
    """Seconds between turns, and nodes in each, such that no minute has more than it may."""
    if per_minute <= MINUTE:
        return -(-MINUTE // per_minute), 1
    return 1, per_minute // MINUTE
