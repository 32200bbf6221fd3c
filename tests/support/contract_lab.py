"""Accounts, nodes, staking, apps, escrow and secrets over one in-memory world, with a market that does as it is told.

The market stands in for the real one at its ports: it opens a lease per wanted instance on the first nodes that are
active, and the test confirms, suspects and loses leases by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar

from flux.contracts.accounts.contract import Accounts
from flux.contracts.accounts.invariants import check as check_accounts
from flux.contracts.accounts.invariants import check_total
from flux.contracts.apps.contract import Apps
from flux.contracts.apps.invariants import check as check_apps
from flux.contracts.apps.types import App, AppId, AppSpec, AppStatus, Component, Constraints, Revision, encode_spec
from flux.contracts.escrow.contract import Escrow
from flux.contracts.escrow.invariants import check as check_escrow
from flux.contracts.market.rules import needs_of, price_of, rate_of
from flux.contracts.market.types import (
    CloseReason,
    Lease,
    LeaseId,
    LeaseState,
    Ordinal,
    RatePerSecond,
    UnknownLease,
    Usage,
)
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.invariants import check as check_nodes
from flux.contracts.nodes.types import (
    Architecture,
    Ask,
    Endpoint,
    Hardware,
    Location,
    NodeId,
    NodeStatus,
)
from flux.contracts.oracle.contract import Oracle
from flux.contracts.policy.contract import Policy
from flux.contracts.probes.types import Epoch, EpochInfo
from flux.contracts.secrets.contract import Secrets
from flux.contracts.secrets.invariants import check as check_secrets
from flux.contracts.staking.contract import Staking
from flux.contracts.staking.invariants import check as check_staking
from flux.contracts.staking.types import Shares
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract
from flux.kernel.errors import Revert
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.keccak import keccak256
from flux.primitives.types import U8, U16, U32, U64, U256, WEI_PER_FLUX, Address, ChainTime, Hash, Wei
from flux.protocol.params import DEFAULT, Params
from flux.testing.world import MemoryWorld

P = ParamSpec("P")
T = TypeVar("T")

FLUX = WEI_PER_FLUX
ZERO_TIME = ChainTime(U64(0))
TENANT_REASONS = (CloseReason.REMOVED, CloseReason.SCALED_DOWN, CloseReason.PAUSED, CloseReason.UPDATED)
CHEAP = Ask(U64(3_600_000), U64(0), U64(0), U64(0))
"""One core costs 10**12 wei per second, everything else nothing."""
IMAGE = "registry.test/hello@sha256:" + "ab" * 32


def account(name: str) -> Address:
    """An address with a name."""
    return Address(keccak256(name.encode())[12:])


def component(name: str = "web", **changes: Any) -> Component:
    """A small component."""
    return Component(**{"name": name, "image": IMAGE, "cpu_milli": 1000, "memory_mib": 64, **changes})


def spec(*components: Component, **changes: Any) -> AppSpec:
    """A small spec that any node can run."""
    return AppSpec(**{"components": components or (component(),), "constraints": Constraints(), **changes})


def hardware(cpu: int = 16_000, memory: int = 65_536, disk: int = 1_000_000, **changes: Any) -> Hardware:
    """What a Stratus machine has, unless told otherwise."""
    plain = {"architecture": Architecture.AMD64, "gpu_count": U8(0), "gpu_model": "", **changes}
    return Hardware(U32(cpu), U32(memory), U32(disk), **plain)


def endpoint(host: str = "192.0.2.7", **changes: Any) -> Endpoint:
    """An endpoint that is in order."""
    plain = {
        "port": U16(16127),
        "certificate": Hash(b"\x11" * 32),
        "seal_key": Hash(b"\x22" * 32),
        "residential": False,
        "static_ip": True,
        **changes,
    }
    return Endpoint(host, **plain)


FRANCE = Location("EU", "FR", "Brittany")


class Forward:
    """Stands for a contract that is built later."""

    def __init__(self) -> None:
        self.target: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)


@dataclass
class HandMarket:
    """The market's ports, worked by the test."""

    apps: Any = None
    nodes: Any = None
    escrow: Any = None
    secrets: Any = None
    leases: dict[int, Lease] = field(default_factory=dict)
    told: list[tuple[str, int]] = field(default_factory=list)

    def app_deployed(self, ctx: Context, app: App) -> None:
        self.app_changed(ctx, app.id)

    def app_changed(self, ctx: Context, app: AppId) -> None:
        self.told.append(("app", app))
        record: App = self.apps.app(ctx, app)
        wanted = record.instances if record.status is AppStatus.ACTIVE else 0
        reasons = {AppStatus.PAUSED: CloseReason.PAUSED, AppStatus.CLOSED: CloseReason.REMOVED}
        for lease in self.open_leases(app):
            if lease.ordinal >= wanted or lease.revision != record.revision:
                fallback = CloseReason.DEPLETED if wanted == 0 else CloseReason.SCALED_DOWN
                self.close(ctx, lease.id, reasons.get(record.status, fallback))
        held = [lease.ordinal for lease in self.open_leases(app)]
        nodes = [node for node in self.nodes.nodes(ctx, NodeId(U32(1)), U16(1000)) if node.status is NodeStatus.ACTIVE]
        for ordinal, node in zip(range(wanted), nodes, strict=False):
            if ordinal not in held:
                rate = self.rate_of(ctx, self.apps.app_spec(app, record.revision), node.ask)
                self._open(ctx, record, ordinal, node.id, rate)

    def _open(self, ctx: Context, app: App, ordinal: int, node: NodeId, rate: RatePerSecond) -> None:
        id = LeaseId(U64(len(self.leases) + 1))
        none = ZERO_TIME
        self.leases[id] = Lease(
            id,
            app.id,
            app.revision,
            Ordinal(U16(ordinal)),
            node,
            LeaseState.ASSIGNED,
            rate,
            ctx.now,
            none,
            none,
            LeaseId(U64(0)),
            CloseReason.NONE,
            "",
            (),
        )

    def open_leases(self, app: int) -> list[Lease]:
        return [lease for lease in self.leases.values() if lease.app == app and lease.state is not LeaseState.CLOSED]

    def confirm(self, ctx: Context, id: int) -> None:
        """The lease serves (again)."""
        lease = self.leases[id]
        self.leases[id] = lease.but(state=LeaseState.RUNNING, running_at=lease.running_at or ctx.now)
        self.escrow.start(ctx, lease.app, lease.id, lease.node, lease.rate, lease.usd_rate)

    def suspect(self, ctx: Context, id: int, until: int) -> None:
        """The lease has not served since `until`."""
        lease = self.leases[id]
        self.leases[id] = lease.but(state=LeaseState.SUSPECT)
        self.escrow.stop(ctx, lease.app, lease.id, ChainTime(U64(until)))

    def close(self, ctx: Context, id: int, reason: CloseReason) -> None:
        """The lease ends now."""
        lease = self.leases[id]
        self.leases[id] = lease.but(state=LeaseState.CLOSED, closed_at=ctx.now, reason=reason)
        minimum_from = lease.running_at if reason in TENANT_REASONS else ZERO_TIME
        self.escrow.stop(ctx, lease.app, lease.id, ctx.now, minimum_from)
        self.secrets.forget(ctx, lease.id)

    def revision_changed(self, ctx: Context, app: AppId, before: Revision) -> None:
        self.told.append(("revision", before))

    def revisions_in_use(self, ctx: Context, app: AppId) -> list[Revision]:
        return [lease.revision for lease in self.open_leases(app)]

    def revisions_leased(self, ctx: Context, app: AppId) -> list[Revision]:
        return self.revisions_in_use(ctx, app)

    def rate_of(self, ctx: Context, spec: AppSpec, ask: Ask) -> RatePerSecond:
        return rate_of(price_of(needs_of(spec), ask))

    def standby_rate(self, ctx: Context, rate: Wei) -> Wei:
        return Wei(U256(rate // 50))

    def lease(self, ctx: Context, lease: LeaseId) -> Lease:
        if lease not in self.leases:
            raise UnknownLease(lease)
        return self.leases[lease]

    def leases_of_app(self, ctx: Context, app: AppId) -> list[Lease]:
        return [lease for lease in self.leases.values() if lease.app == app]

    def node_changed(self, ctx: Context, node: NodeId) -> None:
        self.told.append(("node", node))

    def node_drains(self, ctx: Context, node: NodeId) -> None:
        self.told.append(("drains", node))
        record = self.nodes.node(ctx, node)
        if record.status is NodeStatus.LEAVING and not self._leases_of(node):
            self.nodes.drained(ctx, node)

    def node_stays(self, ctx: Context, node: NodeId) -> None:
        self.told.append(("stays", node))

    def usage(self, ctx: Context, node: NodeId) -> Usage:
        needs = [needs_of(self.apps.app_spec(lease.app, lease.revision)) for lease in self._leases_of(node)]
        return Usage(
            U32(sum(need.cpu_milli for need in needs)),
            U32(sum(need.memory_mib for need in needs)),
            U32(sum(need.disk_mib for need in needs)),
            U8(sum(need.gpu_count for need in needs)),
        )

    def _leases_of(self, node: NodeId) -> list[Lease]:
        return [lease for lease in self.leases.values() if lease.node == node and lease.state is not LeaseState.CLOSED]


@dataclass
class Heard:
    """What staking told whoever counts votes and shares out rewards."""

    powers: dict[Address, int] = field(default_factory=dict)
    positions: list[tuple[int, Address, int, int]] = field(default_factory=list)
    slashes: list[int] = field(default_factory=list)

    def power_changed(self, ctx: Context, account: Address, bonded: Wei) -> None:
        self.powers[account] = bonded

    def position_changing(self, ctx: Context, node: NodeId, account: Address, before: Shares, total: Shares) -> None:
        self.positions.append((node, account, before, total))

    def slashed(self, ctx: Context, node: NodeId) -> None:
        self.slashes.append(node)


@dataclass
class HandEpochs:
    """The probes' epochs, turned by the test."""

    number: int = 1

    def epoch(self, ctx: Context) -> EpochInfo:
        seed = keccak256(self.number.to_bytes(8, "big"))
        return EpochInfo(Epoch(U64(self.number)), ZERO_TIME, ZERO_TIME, seed)


class Lab:
    """Six contracts, wired."""

    def __init__(self, params: Params = DEFAULT) -> None:
        self.params = params
        self.world = MemoryWorld()
        self.market = HandMarket()
        self.heard = Heard()
        apps, escrow, nodes, secrets, staking = Forward(), Forward(), Forward(), Forward(), Forward()
        policy = Forward()
        self.accounts = Accounts(self._host(Accounts), params.accounts)
        self.nodes = Nodes(self._host(Nodes), params.nodes, self.market, staking)
        self.staking = Staking(self._host(Staking), params.staking, self.accounts, self.nodes, self.heard, self.heard)
        staking.target = self.staking
        self.apps = Apps(self._host(Apps), params.apps, self.market, escrow, secrets, policy)
        policy.target = self.policy = Policy(self._host(Policy), params.policy, self.apps)
        self.oracle = Oracle(self._host(Oracle), params.oracle, escrow)
        self.escrow = Escrow(self._host(Escrow), params.escrow, apps, self.market, nodes, self.oracle)
        self.epochs = HandEpochs()
        secrets_ports = (apps, self.market, nodes, self.staking, self.epochs)
        self.secrets = Secrets(self._host(Secrets), params.secrets, *secrets_ports)
        apps.target, escrow.target, nodes.target, secrets.target = self.apps, self.escrow, self.nodes, self.secrets
        self.market.apps, self.market.nodes = self.apps, self.nodes
        self.market.escrow, self.market.secrets = self.escrow, self.secrets
        self.contracts: list[Contract] = [
            self.accounts, self.nodes, self.apps, self.escrow, self.secrets, self.staking,
        ]  # fmt: skip

    def fund(self, holder: Address, flux: int) -> None:
        """Mint whole FLUX."""
        self.accounts.mint(self.world.context(holder), holder, Wei(U256(flux * FLUX)))

    def send(
        self, sender: Address, value: int, function: Callable[Concatenate[Context, P], T], *args: P.args, **kw: P.kwargs
    ) -> T:
        """One transaction; the hand-worked market and who hears of stake forget one that reverts."""
        leases, powers, positions = dict(self.market.leases), dict(self.heard.powers), len(self.heard.positions)
        try:
            return self.world.send(sender, value, function, *args, **kw)
        except Revert:
            self.market.leases, self.heard.powers = leases, powers
            del self.heard.positions[positions:]
            raise

    def advance(self, seconds: int) -> None:
        """Let time pass and do what came due."""
        self.world.advance(seconds)
        self.world.run_due(self.contracts)

    def context(self, sender: Address = ZERO_ADDRESS) -> Context:
        return self.world.context(sender)

    def join(self, name: str, *, ask: Ask = CHEAP, active: bool = True) -> NodeId:
        """A Cumulus node of an operator and an agent with the node's name."""
        operator, agent = account(f"{name} operator"), account(f"{name} agent")
        stake = self.params.nodes.tiers[0].stake
        self.accounts.mint(self.context(), operator, stake)
        args = (agent, endpoint(), FRANCE, hardware(), ask)
        node = self.send(operator, stake, self.nodes.register, *args)
        if active:
            self.send(agent, 0, self.nodes.activate)
        return node

    def deploy(
        self, owner: Address, flux_milli: int, *, name: str = "shop", instances: int = 1, of: AppSpec | None = None
    ) -> AppId:
        """An app with a deposit in thousandths of FLUX."""
        data = encode_spec(of or spec())
        value = flux_milli * FLUX // 1000
        return self.send(owner, value, self.apps.deploy, name, U16(instances), data, b"")

    def confirm_all(self, app: int) -> None:
        """All open leases of the app begin to run."""
        for lease in self.market.open_leases(app):
            self.market.confirm(self.context(), lease.id)

    def check(self) -> None:
        """Every invariant, and the total of all balances."""
        violations = [
            *check_accounts(self.accounts),
            *check_total(self.accounts, self.world.total_held()),
            *check_nodes(self.nodes),
            *check_apps(self.apps),
            *check_escrow(self.escrow),
            *check_secrets(self.secrets),
            *check_staking(self.staking),
        ]
        if violations:
            raise AssertionError("; ".join(violations))

    def _host(self, contract: type[Contract]) -> Host:
        return Host(self.world, contract.address)
