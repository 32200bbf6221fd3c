"""Epochs over the whole protocol in memory: committees that report what they are told to, and time that passes."""

from collections.abc import Mapping

from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import Epoch, TargetCount
from flux.kernel.errors import Revert
from flux.primitives.types import U32, Hash
from support.contract_lab import account
from support.protocol_world import ProtocolWorld

ROOT = Hash(b"\x77" * 32)


def end_epoch(world: ProtocolWorld) -> Epoch:
    """Let the current epoch end; which one it was."""
    info = world.probes.epoch(world.world.context(account("anybody")))
    world.world.advance(max(0, info.ends_at - world.world.block.now))
    world.block(0)
    return info.epoch


def counts(world: ProtocolWorld, member: NodeId, seen: Mapping[int, int]) -> list[TargetCount]:
    """What a member counted of its targets of the last epoch: answers out of 1,000, by node; others answer always."""
    ctx, probes = world.world.context(account("anybody")), world.probes
    seed, found = probes.previous_epoch(ctx).seed, []
    for number in range(1, world.nodes.count(ctx) + 1):
        target = world.nodes.find(NodeId(U32(number)))
        assert target is not None
        if member in probes.committee_at(ctx, target.id, seed):
            found.append(TargetCount(target.id, U32(1_000), U32(seen.get(number, 1_000))))
    return found


def report(world: ProtocolWorld, epoch: Epoch, seen: Mapping[int, int] | None = None) -> int:
    """Every member reports on the epoch that just ended; how many reports were taken."""
    taken = 0
    for member, agent in world.agents.items():
        found = counts(world, member, seen or {})
        if not found:
            continue
        try:
            world.send(agent, world.probes.report, epoch, ROOT, found)
        except Revert:
            continue
        taken += 1
    return taken


def pass_epoch(world: ProtocolWorld, seen: Mapping[int, int] | None = None) -> Epoch:
    """An epoch ends and is reported on; which one."""
    epoch = end_epoch(world)
    report(world, epoch, seen)
    return epoch
