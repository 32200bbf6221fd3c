"""Oracle: FLUX in US dollars, the median of bonded feeders; frozen, and saying so, when most of them fail."""

from itertools import islice

from flux.contracts.addresses import ORACLE, TREASURY
from flux.contracts.nodes.types import NodeId, NodeStatus
from flux.contracts.oracle import rules
from flux.contracts.oracle.ports import NodesPort
from flux.contracts.oracle.state import OracleState
from flux.contracts.oracle.types import (
    DECIMALS,
    AlreadyFeeder,
    Feeder,
    FeederJoined,
    FeederRegistered,
    FeederRemoved,
    FeederStatus,
    FollowedAsk,
    InvalidPrice,
    InvalidUsdAsk,
    Leaving,
    NoPrice,
    NotFeeder,
    OracleParams,
    Price,
    PriceFrozen,
    PriceReported,
    PriceUpdated,
    ReportIgnored,
    ReportTooSoon,
    TooManyFeeders,
    UsdAsk,
    UsdAskSet,
    UsdPrice,
    WrongBond,
)
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, scheduled, view
from flux.kernel.errors import Unauthorized
from flux.primitives.types import NO_WEI, U8, U32, U64, Address, ChainTime, Wei

STALE = 1
BOND_DUE = 2
REPRICING = 3
_NEVER = ChainTime(U64(0))


class Oracle(Contract):
    """What one FLUX costs in US dollars."""

    name = "Oracle"
    address = ORACLE
    events = (
        FeederRegistered,
        FeederJoined,
        FeederRemoved,
        PriceReported,
        ReportIgnored,
        PriceUpdated,
        PriceFrozen,
        UsdAskSet,
    )
    errors = (
        NotFeeder,
        AlreadyFeeder,
        TooManyFeeders,
        WrongBond,
        InvalidPrice,
        ReportTooSoon,
        NoPrice,
        InvalidUsdAsk,
    )

    def __init__(self, host: Host, params: OracleParams, nodes: NodesPort) -> None:
        super().__init__(host)
        self._nodes = nodes
        self.params = params
        self.state = OracleState(host.storage)

    @method(gas=50_000, governed=True)
    def register_feeder(self, ctx: Context, feeder: Address) -> None:
        """Admit a feeder. Raises AlreadyFeeder, TooManyFeeders."""
        if feeder in self.state.feeders:
            raise AlreadyFeeder(feeder)
        if len(self._feeders()) >= self.params.max_feeders:
            raise TooManyFeeders(self.params.max_feeders)
        number = U32(self.state.last_feeder.get() + 1)
        self.state.last_feeder.set(number)
        self.state.feeders.set(feeder, Feeder(number, NO_WEI, UsdPrice(U64(0)), _NEVER))
        self.host.emit(FeederRegistered(feeder))

    @method(gas=80_000, governed=True)
    def remove_feeder(self, ctx: Context, feeder: Address, forfeit: bool) -> None:
        """Remove a feeder; its bond comes back after a while, or is the treasury's. Raises NotFeeder."""
        record = self.state.feeders.find(feeder)
        if record is None:
            raise NotFeeder(feeder)
        self._remove(ctx, feeder, record, record.bond if forfeit else NO_WEI)

    @method(gas=50_000, payable=True)
    def join(self, ctx: Context) -> None:
        """Put down the bond as an admitted feeder. Raises NotFeeder, AlreadyFeeder, WrongBond."""
        record = self.state.feeders.find(ctx.sender)
        if record is None:
            raise NotFeeder(ctx.sender)
        if record.bond:
            raise AlreadyFeeder(ctx.sender)
        if ctx.value != self.params.bond:
            raise WrongBond(self.params.bond, ctx.value)
        self.state.feeders.set(ctx.sender, record.but(bond=ctx.value))
        self.host.emit(FeederJoined(ctx.sender, ctx.value))

    @method(gas=80_000)
    def leave(self, ctx: Context) -> None:
        """Stop feeding; the bond comes back after a while. Raises NotFeeder."""
        self._remove(ctx, ctx.sender, self._joined(ctx.sender), NO_WEI)

    @method(gas=120_000, lane=True)
    def report(self, ctx: Context, price: U64) -> None:
        """What one FLUX costs, in 10**-8 dollars. Raises NotFeeder, InvalidPrice, ReportTooSoon."""
        record = self._joined(ctx.sender)
        reported = rules.check_price(price)
        earliest = ChainTime(U64(record.reported_at + self.params.report_interval))
        if record.price and ctx.now < earliest:
            raise ReportTooSoon(earliest)
        self.host.unschedule(self._stale_from(record), STALE, record.number)
        record = record.but(price=reported, reported_at=ctx.now)
        self.state.feeders.set(ctx.sender, record)
        self.host.schedule(self._stale_from(record), STALE, record.number)
        self.host.emit(PriceReported(ctx.sender, reported))
        verdict = self._update(ctx)
        if ctx.sender in verdict.ignored:
            self.host.emit(ReportIgnored(ctx.sender, reported, verdict.median))

    @method(gas=80_000)
    def set_usd_ask(self, ctx: Context, node: NodeId, usd: UsdAsk) -> None:
        """Let a node's prices follow the dollar: in FLUX at the present price, and anew whenever it moves.

        `nodes.setAsk` ends it. Raises UnknownNode, Unauthorized, InvalidUsdAsk, NoPrice, WrongNodeStatus.
        """
        record = self._nodes.node(ctx, node)
        if record.operator != ctx.sender:
            raise Unauthorized(ctx.sender, record.operator)
        rules.check_usd(usd)
        price = self.price(ctx)
        if price.frozen:
            raise NoPrice(price.updated_at)
        ask = self._nodes.reprice(ctx, node, rules.in_flux(usd, price.value))
        self.state.usd_asks.set(node, FollowedAsk(usd, ask))
        self.host.emit(UsdAskSet(node, usd))

    @view()
    def usd_ask(self, ctx: Context, node: NodeId) -> UsdAsk:
        """A node's prices in dollars; all 0 when they do not follow it."""
        found = self.state.usd_asks.find(node)
        return rules.NO_ASK if found is None or self._nodes.node(ctx, node).ask != found.ask else found.usd

    @view(gas=20_000)
    def price(self, ctx: Context) -> Price:
        """The price, when it was last agreed on, and whether it is frozen since."""
        verdict = rules.judge(self._feeders(), ctx.now, self.params)
        return self.state.price.get().but(frozen=not verdict.price)

    @view(gas=20_000)
    def feeders(self, ctx: Context) -> list[FeederStatus]:
        """All feeders with their last reports, and whether these count."""
        known = self._feeders()
        counted = rules.judge(known, ctx.now, self.params).counted
        return [FeederStatus(key, item.price, item.reported_at, key in counted) for key, item in known]

    @view()
    def decimals(self, ctx: Context) -> U8:
        """Of a price, for tools that read price feeds."""
        return U8(DECIMALS)

    @scheduled(STALE)
    def grow_stale(self, ctx: Context, subject: int) -> None:
        """A report may have become too old."""
        self._update(ctx)

    @scheduled(BOND_DUE)
    def return_bond(self, ctx: Context, subject: int) -> None:
        """A feeder that left gets its bond back."""
        entry = self.state.leaving.get(U32(subject))
        self.state.leaving.delete(U32(subject))
        self.host.pay(entry.feeder, entry.amount)

    @scheduled(REPRICING)
    def reprice(self, ctx: Context, subject: int) -> None:
        """Turn asks in dollars into FLUX anew, a batch per block, from the node `subject` on."""
        value, left = self.state.applied.get(), int(self.params.reprice_batch)
        for node, followed in list(islice(self.state.usd_asks.items(start=subject.to_bytes(4, "big")), left + 1)):
            if not left:
                self.host.schedule(ctx.now, REPRICING, node)
                return
            left -= 1
            record = self._nodes.node(ctx, node)
            if record.ask != followed.ask or record.status in (NodeStatus.LEAVING, NodeStatus.GONE):
                self.state.usd_asks.delete(node)
                continue
            ask = self._nodes.reprice(ctx, node, rules.in_flux(followed.usd, value))
            self.state.usd_asks.set(node, followed.but(ask=ask))

    def _follow(self, ctx: Context, value: UsdPrice) -> None:
        """Have asks in dollars repriced when the price has moved far enough."""
        applied = self.state.applied.get()
        if not applied or rules.deviates(value, applied, self.params.reprice_step):
            self.state.applied.set(value)
            self.host.schedule(ctx.now, REPRICING, 0)

    def _update(self, ctx: Context) -> rules.Verdict:
        """Take the price anew from the reports; say so when it changed or froze."""
        verdict = rules.judge(self._feeders(), ctx.now, self.params)
        before = self.state.price.get()
        if verdict.price:
            self.state.price.set(Price(verdict.price, ctx.now, False))
            self._follow(ctx, verdict.price)
            if before.frozen or verdict.price != before.value:
                self.host.emit(PriceUpdated(verdict.price, U8(len(verdict.counted))))
        elif not before.frozen:
            self.state.price.set(before.but(frozen=True))
            self.host.emit(PriceFrozen(before.value, before.updated_at))
        return verdict

    def _remove(self, ctx: Context, feeder: Address, record: Feeder, forfeited: Wei) -> None:
        self.state.feeders.delete(feeder)
        returned = NO_WEI if forfeited else record.bond
        if returned:
            self.state.leaving.set(record.number, Leaving(feeder, returned))
            self.host.schedule(ChainTime(U64(ctx.now + self.params.unbonding)), BOND_DUE, record.number)
        if forfeited:
            self.host.pay(TREASURY, forfeited)
        self.host.emit(FeederRemoved(feeder, forfeited, returned))
        self._update(ctx)

    def _stale_from(self, record: Feeder) -> ChainTime:
        """When a report is too old. Work left over from another staleness does no harm: it only looks again."""
        return ChainTime(U64(record.reported_at + self.params.staleness + 1))

    def _joined(self, account: Address) -> Feeder:
        record = self.state.feeders.find(account)
        if record is None or not record.bond:
            raise NotFeeder(account)
        return record

    def _feeders(self) -> list[tuple[Address, Feeder]]:
        """At most `max_feeders`, in the order of their addresses."""
        return list(self.state.feeders.items())
