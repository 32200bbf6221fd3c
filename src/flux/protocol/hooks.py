"""Two-way wires between contracts: what is built first reaches what is built later through one of these.

Each forwards exactly what the consumers declare in their `ports.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flux.chain.call import CONTRACT_FAULTS
from flux.contracts.apps.contract import Apps
from flux.contracts.apps.types import App, AppId, AppSpec, Revision
from flux.contracts.escrow.contract import Escrow
from flux.contracts.governor.ports import Action
from flux.contracts.market.contract import Market
from flux.contracts.market.types import Lease, LeaseId, RatePerSecond, Usage
from flux.contracts.nodes.types import Ask, NodeId
from flux.contracts.probes.contract import Probes
from flux.contracts.probes.ports import EpochPort
from flux.contracts.probes.types import Epoch, EpochInfo
from flux.contracts.slashing.contract import Slashing
from flux.contracts.staking.contract import Staking
from flux.contracts.staking.ports import RewardsPort
from flux.contracts.staking.types import Shares
from flux.contracts.validators.contract import Validators
from flux.kernel.context import Context, World
from flux.kernel.contract import Contract
from flux.kernel.errors import Revert, UnknownMethod
from flux.primitives.types import Address, ChainTime, Wei


@dataclass(eq=False)
class ProtocolFault(Revert):
    """The protocol met a bug of its own: {kind}."""

    kind: str


class _Rehearsed(Revert):
    """The calls would succeed."""


def contained(work: Callable[[], None]) -> None:
    """Run a piece of the protocol's own work; a bug in it becomes a ProtocolFault."""
    try:
        work()
    except Revert:
        raise
    except CONTRACT_FAULTS as error:
        raise ProtocolFault(type(error).__name__) from error


class MarketLink:
    """The market, for nodes, apps, escrow and secrets, which it is built from."""

    market: Market

    def app_deployed(self, ctx: Context, app: App) -> None:
        """There is a new app."""
        self.market.app_deployed(ctx, app)

    def app_changed(self, ctx: Context, app: AppId) -> None:
        """An app's record changed."""
        self.market.app_changed(ctx, app)

    def node_changed(self, ctx: Context, node: NodeId) -> None:
        """A node's record changed."""
        self.market.node_changed(ctx, node)

    def node_drains(self, ctx: Context, node: NodeId) -> None:
        """A node begins to drain or leave."""
        self.market.node_drains(ctx, node)

    def node_stays(self, ctx: Context, node: NodeId) -> None:
        """A node drains no longer."""
        self.market.node_stays(ctx, node)

    def revision_changed(self, ctx: Context, app: AppId, before: Revision) -> None:
        """The owner gave an app another revision."""
        self.market.revision_changed(ctx, app, before)

    def revisions_in_use(self, ctx: Context, app: AppId) -> Sequence[Revision]:
        """Revisions that leases run or a rollout may go back to."""
        return self.market.revisions_in_use(ctx, app)

    def revisions_leased(self, ctx: Context, app: AppId) -> Sequence[Revision]:
        """Revisions that leases run."""
        return self.market.revisions_leased(ctx, app)

    def rate_of(self, ctx: Context, spec: AppSpec, ask: Ask) -> RatePerSecond:
        """Price of one instance at an ask."""
        return self.market.rate_of(ctx, spec, ask)

    def standby_rate(self, ctx: Context, rate: Wei) -> Wei:
        """Price of a node that stands by, where an instance costs `rate`."""
        return self.market.standby_rate(ctx, rate)

    def usage(self, ctx: Context, node: NodeId) -> Usage:
        """What open leases take of a node."""
        return self.market.usage(ctx, node)

    def lease(self, ctx: Context, lease: LeaseId) -> Lease:
        """A lease."""
        return self.market.lease(ctx, lease)

    def leases_of_app(self, ctx: Context, app: AppId) -> list[Lease]:
        """Leases of an app."""
        return self.market.leases_of_app(ctx, app)


class ProbesLink:
    """The probes, for secrets and the market, which they are built from."""

    probes: Probes

    def epoch(self, ctx: Context) -> EpochInfo:
        """The current epoch."""
        return self.probes.epoch(ctx)

    def note_start(self, node: NodeId, *, failed: bool) -> None:
        """A node started an instance, or failed to start one that another node started."""
        self.probes.conducts.note_start(node, failed=failed)

    def calm_since(self) -> ChainTime | None:
        """Since when no mass failure is suspected."""
        return self.probes.calm_since()


class EpochHooks:
    """Everybody whom the end of an epoch concerns, in this order."""

    def __init__(self, hooks: Sequence[EpochPort]) -> None:
        self._hooks = hooks

    def epoch_ended(self, ctx: Context, epoch: Epoch) -> None:
        """An epoch is over."""
        for hook in self._hooks:
            hook.epoch_ended(ctx, epoch)


class CallsLink:
    """Every contract's governed methods, for the governor: the one way in which a vote acts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.contracts: dict[Address, Contract] = {}

    def is_governed(self, action: Action) -> bool:
        """Whether the call names a governed method."""
        contract = self.contracts.get(action.target)
        method = None if contract is None else contract.find_method(action.data)
        return method is not None and method.declaration.governed

    def run(self, ctx: Context, actions: Sequence[Action]) -> None:
        """Make the calls; what is no governed method is none."""
        for action in actions:
            if not self.is_governed(action):
                raise UnknownMethod(action.data[:4])
            self.contracts[action.target].call(ctx, action.data)

    def rehearse(self, ctx: Context, actions: Sequence[Action]) -> None:
        """Make the calls and take everything back."""

        def make_and_take_back() -> None:
            self.run(ctx, actions)
            raise _Rehearsed()

        failure = self._world.attempt(make_and_take_back)
        if failure is not None and not isinstance(failure, _Rehearsed):
            raise failure

    def attempt(self, ctx: Context, actions: Sequence[Action]) -> Revert | None:
        """Make all calls or none."""
        return self._world.attempt(lambda: contained(lambda: self.run(ctx, actions)))


class AppsLink:
    """The apps, for escrow, secrets and the policy, which they are built from."""

    apps: Apps

    def app(self, ctx: Context, app: AppId) -> App:
        """The record."""
        return self.apps.app(ctx, app)

    def app_spec(self, app: AppId, revision: Revision) -> AppSpec:
        """The spec of a revision."""
        return self.apps.app_spec(app, revision)

    def check(self, spec: bytes) -> AppSpec:
        """The spec of bytes from outside."""
        return self.apps.check(spec)

    def specs_to_run(self, ctx: Context, app: AppId) -> Sequence[AppSpec]:
        """What nodes run or should run of an app."""
        return self.apps.specs_to_run(ctx, app)

    def close_denied(self, ctx: Context, app: AppId) -> None:
        """End an open app."""
        self.apps.close_denied(ctx, app)

    def depleted(self, ctx: Context, app: AppId) -> None:
        """The escrow ran dry."""
        self.apps.depleted(ctx, app)

    def funded(self, ctx: Context, app: AppId) -> None:
        """A depleted escrow can pay again."""
        self.apps.funded(ctx, app)


class EscrowLink:
    """The escrow, for the oracle, which it is built from."""

    escrow: Escrow

    def price_changed(self, ctx: Context) -> None:
        """The meter runs at another pace."""
        self.escrow.price_changed(ctx)


class StakingLink:
    """Staking, for nodes, which it is built from."""

    staking: Staking

    def open(self, ctx: Context, node: NodeId, operator: Address, amount: Wei) -> None:
        """A node registered."""
        self.staking.open(ctx, node, operator, amount)

    def stakes(self, node: NodeId) -> tuple[Wei, Wei]:
        """All stake of a node, and its operator's part."""
        return self.staking.stakes(node)

    def unbond_own(self, ctx: Context, node: NodeId) -> None:
        """A node is gone."""
        self.staking.unbond_own(ctx, node)


class RewardsLink:
    """Whoever shares out rewards by shares; staking is built before it."""

    rewards: RewardsPort

    def position_changing(self, ctx: Context, node: NodeId, account: Address, before: Shares, total: Shares) -> None:
        """An account's shares of a pool are about to change."""
        self.rewards.position_changing(ctx, node, account, before, total)

    def slashed(self, ctx: Context, node: NodeId) -> None:
        """A node was slashed."""
        self.rewards.slashed(ctx, node)


class BlockWork:
    """Who produced blocks, for rewards: the validators, or the one producer of a chain without any."""

    def __init__(self, validators: Validators, staking: Staking) -> None:
        self._validators = validators
        self._staking = staking

    def work(self, ctx: Context, epoch: Epoch) -> Sequence[tuple[NodeId, int]]:
        """Nodes, and for how many blocks of an epoch each signed or proposed; none for one that revealed nothing."""
        work = self._validators.signed_blocks(ctx, epoch)
        if work:
            return [(item.node, item.signed + item.proposed) for item in work if item.revealed]
        node = self._staking.node_of_operator(ctx.block.producer)
        return [] if node is None else [(node, 1)]


class FaultsLink:
    """Slashing, for probes, which it is built from."""

    slashing: Slashing

    def suspicion_refuted(self, ctx: Context, reporter: NodeId) -> None:
        """A node that this one reported was reached."""
        self.slashing.suspicion_refuted(ctx, reporter)

    def leases_abandoned(self, ctx: Context, node: NodeId) -> None:
        """A node vanished with leases."""
        self.slashing.leases_abandoned(ctx, node)
