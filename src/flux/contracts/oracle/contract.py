"""Oracle: FLUX in US dollars, the median of bonded feeders; frozen, and saying so, when most of them fail."""

from itertools import islice, pairwise

from flux.contracts.addresses import ORACLE, TREASURY
from flux.contracts.oracle import rules
from flux.contracts.oracle.ports import EscrowPort
from flux.contracts.oracle.state import OracleState
from flux.contracts.oracle.types import (
    DECIMALS,
    AlreadyFeeder,
    Feeder,
    FeederJoined,
    FeederRegistered,
    FeederRemoved,
    FeederStatus,
    InvalidPrice,
    Leaving,
    Meter,
    NotFeeder,
    OracleParams,
    Price,
    PriceFrozen,
    PriceReported,
    PriceUpdated,
    ReportIgnored,
    ReportTooSoon,
    TooManyFeeders,
    UsdPrice,
    WrongBond,
)
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, scheduled, view
from flux.primitives.types import NO_WEI, U8, U32, U64, Address, ChainTime, Wei

STALE = 1
BOND_DUE = 2
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
    )
    errors = (
        NotFeeder,
        AlreadyFeeder,
        TooManyFeeders,
        WrongBond,
        InvalidPrice,
        ReportTooSoon,
    )

    def __init__(self, host: Host, params: OracleParams, escrow: EscrowPort) -> None:
        super().__init__(host)
        self._escrow = escrow
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
    def meter(self, ctx: Context) -> Meter:
        """The meter now; what a rate in dollars costs in FLUX follows from two readings."""
        return self.meter_at(ctx.now)

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

    def value(self, ctx: Context) -> UsdPrice:
        """For the market: the price as stored, frozen or not; 0 while there never was one."""
        return self.state.price.get().value

    def meter_at(self, time: ChainTime) -> Meter:
        """For the escrow: the meter at a time that is not to come.

        Before what is remembered, as if the price had been the oldest one that is.
        """
        meter = self.state.meter.get()
        if time >= meter.at:
            return rules.advance(meter, time)
        known = self.state.readings.last_before(b"", (time + 1).to_bytes(8, "big"))
        oldest = known or next(iter(self.state.readings.items()))
        return rules.advance(oldest[1], time)

    def _run_at(self, ctx: Context, price: UsdPrice) -> None:
        """The meter runs at another pace from now on; readings that nobody can ask for any more are dropped."""
        meter = rules.advance(self.state.meter.get(), ctx.now).but(pace=rules.pace_of(price))
        self.state.meter.set(meter)
        self.state.readings.set(ctx.now, meter)
        oldest = list(islice(self.state.readings.items(), 3))
        for (time, _), (following, _) in pairwise(oldest):
            if following + self.params.meter_history <= ctx.now:
                self.state.readings.delete(time)
        self._escrow.price_changed(ctx)

    def _update(self, ctx: Context) -> rules.Verdict:
        """Take the price anew from the reports; say so when it changed or froze."""
        verdict = rules.judge(self._feeders(), ctx.now, self.params)
        before = self.state.price.get()
        if verdict.price:
            self.state.price.set(Price(verdict.price, ctx.now, False))
            if verdict.price != before.value:
                self._run_at(ctx, verdict.price)
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
