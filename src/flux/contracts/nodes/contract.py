"""Nodes: registration of machines, their tier, and their way in and out of the network."""

from collections.abc import Sequence

from flux.contracts.addresses import NODES, STAKING
from flux.contracts.nodes import rules
from flux.contracts.nodes.ports import MarketPort, StakingPort
from flux.contracts.nodes.state import NodesState
from flux.contracts.nodes.types import (
    AgentTaken,
    Ask,
    Endpoint,
    Hardware,
    InsufficientHardware,
    InsufficientStake,
    InvalidDeclaration,
    Location,
    MeasuredTooSlow,
    Node,
    NodeId,
    NodeRegistered,
    NodesParams,
    NodeStatus,
    NodeStatusChanged,
    NodeUpdated,
    Tier,
    TooEarly,
    UnknownAgent,
    UnknownNode,
    WrongNodeStatus,
)
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, view
from flux.kernel.errors import Unauthorized
from flux.primitives.types import NO_WEI, U8, U16, U32, U64, Address, ChainTime, Wei


class Nodes(Contract):
    """Machines, what they declare, and their lifecycle."""

    name = "Nodes"
    address = NODES
    events = (NodeRegistered, NodeStatusChanged, NodeUpdated)
    errors = (
        UnknownNode,
        UnknownAgent,
        AgentTaken,
        InsufficientStake,
        InsufficientHardware,
        InvalidDeclaration,
        WrongNodeStatus,
        TooEarly,
        MeasuredTooSlow,
    )

    def __init__(self, host: Host, params: NodesParams, market: MarketPort, staking: StakingPort) -> None:
        super().__init__(host)
        self.params = params
        self.state = NodesState(host.storage)
        self._market = market
        self._staking = staking

    @method(gas=80_000, payable=True)
    def register(
        self, ctx: Context, agent: Address, endpoint: Endpoint, location: Location, hardware: Hardware, ask: Ask
    ) -> NodeId:
        """Join with a machine; the caller becomes its operator and the value its own stake. Others may add to it.

        Raises InvalidDeclaration, AgentTaken, InsufficientHardware, InsufficientStake.
        """
        rules.check_keys(ctx.sender, agent)
        rules.check_endpoint(endpoint)
        rules.check_location(location)
        rules.check_hardware(hardware)
        rules.check_ask(ask, self.params.max_ask)
        rules.check_reaches_tier(self.params.tiers, hardware)
        rules.check_own_stake(self.params, ctx.value)
        if (taken := self.state.agents.find(agent)) is not None:
            raise AgentTaken(agent, taken)
        id = rules.next_id(self.state.count.get())
        node = Node(
            id=id,
            operator=ctx.sender,
            agent=agent,
            status=NodeStatus.REGISTERED,
            tier=rules.find_tier(self.params, ctx.value, ctx.value, hardware),
            endpoint=endpoint,
            location=location,
            hardware=hardware,
            ask=ask,
            registered_at=ctx.now,
            status_since=ctx.now,
            status_reason="",
        )
        self.state.count.set(U32(id))
        self.state.agents.set(agent, id)
        self.state.nodes.set(id, node)
        self.host.pay(STAKING, ctx.value)
        self._staking.open(ctx, id, ctx.sender, ctx.value)
        self.host.emit(NodeRegistered(id, ctx.sender, agent, U8(node.tier)))
        self._market.node_changed(ctx, id)
        return id

    @method(gas=30_000)
    def set_ask(self, ctx: Context, node: NodeId, ask: Ask) -> None:
        """Change the price of future leases, in FLUX or in dollars; open leases keep theirs."""
        record = self._own(ctx, node, rules.CAN_LEAVE)
        rules.check_ask(ask, self.params.max_ask)
        self._update(ctx, record.but(ask=ask))

    @method(gas=30_000)
    def set_endpoint(self, ctx: Context, node: NodeId, endpoint: Endpoint) -> None:
        """Change how the node's agent is reached."""
        record = self._own(ctx, node, rules.CAN_LEAVE)
        rules.check_endpoint(endpoint)
        self._update(ctx, record.but(endpoint=endpoint))

    @method(gas=30_000)
    def set_hardware(self, ctx: Context, node: NodeId, hardware: Hardware) -> None:
        """Declare other hardware; the tier follows, down as well as up.

        Raises InsufficientHardware below any tier, InvalidDeclaration below what open leases use.
        """
        record = self._own(ctx, node, rules.CAN_LEAVE)
        rules.check_hardware(hardware)
        rules.check_holds(hardware, record.hardware, self._market.usage(ctx, node))
        rules.check_reaches_tier(self.params.tiers, hardware)
        record = record.but(hardware=hardware)
        self._update(ctx, record.but(tier=self.tier_of(record)))

    @method(gas=100_000)
    def leave(self, ctx: Context, node: NodeId) -> None:
        """Drain: the market places the node's instances elsewhere; without open leases the node is gone at once.

        Once it is gone the operator's stake begins to unbond.
        """
        record = self._own(ctx, node, rules.CAN_LEAVE)
        self._set_status(ctx, self._draining(ctx, record), NodeStatus.LEAVING, "its operator withdraws it")
        self._market.node_drains(ctx, node)

    @method(gas=100_000)
    def drain(self, ctx: Context, node: NodeId) -> None:
        """Take nothing new and have what runs here moved away, start-first; the node stays registered and watched.

        What is left at the deadline closes. A node that drains already keeps its deadline.
        """
        record = self._own(ctx, node, rules.CAN_LEAVE)
        if not record.drains_until:
            self._update(ctx, self._draining(ctx, record))
            self._market.node_drains(ctx, node)

    @method(gas=100_000)
    def undrain(self, ctx: Context, node: NodeId) -> None:
        """Take instances again; what has not moved yet stays."""
        record = self._own(ctx, node, rules.CAN_LEAVE)
        if record.drains_until:
            self._update(ctx, record.but(drains_until=rules.NO_DRAIN))
            self._market.node_stays(ctx, node)

    @method(gas=30_000, lane=True)
    def activate(self, ctx: Context) -> None:
        """The agent says that it is up. After a suspension this is possible once the rejoin delay has passed.

        Raises UnknownAgent, WrongNodeStatus, TooEarly; for a node in no tier MeasuredTooSlow or InsufficientStake.
        """
        record = self.state.nodes.get(self._id_of_agent(ctx.sender))
        if record.status not in rules.CAN_ACTIVATE:
            raise WrongNodeStatus(record.id, U8(record.status))
        if record.status is NodeStatus.SUSPENDED:
            allowed_from = ChainTime(U64(record.status_since + self.params.rejoin_delay))
            if ctx.now < allowed_from:
                raise TooEarly(allowed_from)
        if record.measured is Tier.NONE:
            raise MeasuredTooSlow(record.id)
        if record.tier is Tier.NONE:
            raise InsufficientStake(self.params.tiers[0].stake, self._staking.stakes(record.id)[0])
        self._set_status(ctx, record, NodeStatus.ACTIVE, "")

    @view()
    def node(self, ctx: Context, node: NodeId) -> Node:
        """The record of a node. Raises UnknownNode."""
        record = self.find(node)
        if record is None:
            raise UnknownNode(node)
        return record

    @view()
    def node_of_agent(self, ctx: Context, agent: Address) -> NodeId:
        """The node that reports with this key; 0 for none."""
        return self.state.agents.find(agent) or NodeId(U32(0))

    @view(gas=20_000)
    def nodes(self, ctx: Context, start: NodeId, limit: U16) -> list[Node]:
        """Records from the id `start` on, in order; at most 1,000."""
        first = max(start, 1)
        last = min(self.state.count.get(), first + rules.page_limit(limit) - 1)
        return [self.state.nodes.get(NodeId(U32(id))) for id in range(first, last + 1)]

    @view()
    def count(self, ctx: Context) -> U32:
        """How many nodes ever registered; also the highest id."""
        return self.state.count.get()

    @view()
    def active_count(self, ctx: Context) -> U32:
        """How many nodes are active."""
        return self.state.active.get()

    def find(self, node: NodeId) -> Node | None:
        """The record of a node, if there is one."""
        return self.state.nodes.find(node)

    def network(self, host: str) -> str:
        """The network that a registered host lies in, for spreading instances."""
        return rules.network(host)

    def suspend(self, ctx: Context, node: NodeId, reason: str) -> None:
        """For probes: the node was not seen to serve. Only an active node can be suspended; others stay as they are."""
        record = self.node(ctx, node)
        if record.status is NodeStatus.ACTIVE:
            self._set_status(ctx, record, NodeStatus.SUSPENDED, reason)

    def drained(self, ctx: Context, node: NodeId) -> None:
        """For the market: a leaving node has no open lease; it is gone, and its agent key is free again."""
        record = self.node(ctx, node)
        if record.status is NodeStatus.LEAVING:
            self.state.agents.delete(record.agent)
            self._set_status(ctx, record, NodeStatus.GONE, "")
            self._staking.unbond_own(ctx, node)

    def tier_of(self, record: Node) -> Tier:
        """The tier that a node's stake, declared size and measured speed give now, or let it keep."""
        total, own = self._staking.stakes(record.id)
        return min(rules.find_tier(self.params, total, own, record.hardware, held=record.tier), record.measured)

    def own_stake_required(self, record: Node) -> Wei:
        """For staking: what the operator must keep of its own; nothing once the node is gone."""
        if record.status is NodeStatus.GONE:
            return NO_WEI
        return rules.own_part(self.params, self.params.tiers[0].stake)

    def tier_stakes(self) -> list[Wei]:
        """What each tier stakes, from the lowest."""
        return [needs.stake for needs in self.params.tiers]

    def stake_changed(self, ctx: Context, node: NodeId) -> None:
        """For staking: the tier follows, down as well as up; below the lowest an active node is suspended."""
        self._follow_tier(ctx, self.node(ctx, node), rules.NO_TIER)

    def limit_tier(self, ctx: Context, node: NodeId, limit: Tier) -> None:
        """For benchmarks: the node's speed allows no higher tier than this."""
        record = self.node(ctx, node).but(measured=limit)
        self.state.nodes.set(node, record)
        self._follow_tier(ctx, record, rules.TOO_SLOW)

    def set_located(self, ctx: Context, node: NodeId, *, located: bool) -> None:
        """For benchmarks: whether the node can be in the country that it declares."""
        self._update(ctx, self.node(ctx, node).but(located=located))

    def _draining(self, ctx: Context, record: Node) -> Node:
        due = ChainTime(U64(ctx.now + self.params.drain_deadline))
        return record.but(drains_until=record.drains_until or due)

    def _follow_tier(self, ctx: Context, record: Node, reason: str) -> None:
        tier = self.tier_of(record)
        if record.status is NodeStatus.GONE or tier is record.tier:
            return
        record = record.but(tier=tier)
        if tier is Tier.NONE and record.status is NodeStatus.ACTIVE:
            self.host.emit(NodeUpdated(record.id, U8(tier)))
            self._set_status(ctx, record, NodeStatus.SUSPENDED, reason)
        else:
            self._update(ctx, record)

    def _id_of_agent(self, agent: Address) -> NodeId:
        node = self.state.agents.find(agent)
        if node is None:
            raise UnknownAgent(agent)
        return node

    def _own(self, ctx: Context, node: NodeId, statuses: Sequence[NodeStatus]) -> Node:
        """The node, whose operator must be calling and whose status must be one of those given."""
        record = self.node(ctx, node)
        if record.operator != ctx.sender:
            raise Unauthorized(ctx.sender, record.operator)
        if record.status not in statuses:
            raise WrongNodeStatus(node, U8(record.status))
        return record

    def _update(self, ctx: Context, record: Node) -> None:
        self.state.nodes.set(record.id, record)
        self.host.emit(NodeUpdated(record.id, U8(record.tier)))
        self._market.node_changed(ctx, record.id)

    def _set_status(self, ctx: Context, record: Node, status: NodeStatus, reason: str) -> None:
        before, after = record.status is NodeStatus.ACTIVE, status is NodeStatus.ACTIVE
        if before != after:
            self.state.active.set(U32(self.state.active.get() + after - before))
        self.state.nodes.set(record.id, record.but(status=status, status_since=ctx.now, status_reason=reason))
        self.host.emit(NodeStatusChanged(record.id, U8(status), reason))
        self._market.node_changed(ctx, record.id)
