"""Escrow: one account per app; every second of every lease is paid for, and no wei more than was deposited."""

from itertools import islice

from flux.contracts.addresses import ESCROW, TREASURY
from flux.contracts.apps.types import AppId, AppSpec, AppStatus, InvalidSpec, UnknownApp
from flux.contracts.escrow import rules
from flux.contracts.escrow.ports import AppsPort, MarketPort, NodesPort, OraclePort
from flux.contracts.escrow.state import EscrowState
from flux.contracts.escrow.types import (
    NOTHING,
    Accrual,
    BalanceTooLow,
    Depleted,
    Deposit,
    Deposited,
    DepositTooSmall,
    EscrowAccount,
    EscrowBalance,
    EscrowParams,
    HostPaid,
    NoAccount,
    Refunded,
    TooManyPayers,
)
from flux.contracts.market.types import NO_USD_RATE, LeaseId, RatePerSecond, UsdRate
from flux.contracts.nodes.types import NodeId
from flux.contracts.oracle.types import Meter, NoPrice
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, scheduled, view
from flux.primitives.types import NO_WEI, U16, U64, U256, Address, ChainTime, Seconds, Wei

DEPLETION = 1
"""Kind of the scheduled work that looks at one account; its subject is the app."""
METER = 2
"""Kind of the scheduled work that looks at accounts whose reading of the meter comes next."""
LOOKED_AT = 32
"""Accounts looked at in one such work; what is left over is due at once."""


class Escrow(Contract):
    """Deposits, accrual per second, payment of hosts, refunds."""

    name = "Escrow"
    address = ESCROW
    events = (Deposited, HostPaid, Depleted, Refunded)
    errors = (DepositTooSmall, BalanceTooLow, TooManyPayers, NoAccount, UnknownApp, InvalidSpec, NoPrice)

    def __init__(
        self,
        host: Host,
        params: EscrowParams,
        apps: AppsPort,
        market: MarketPort,
        nodes: NodesPort,
        oracle: OraclePort,
    ) -> None:
        super().__init__(host)
        self.params = params
        self.state = EscrowState(host.storage)
        self._apps = apps
        self._market = market
        self._nodes = nodes
        self._oracle = oracle

    @method(gas=40_000, payable=True)
    def top_up(self, ctx: Context, app: AppId) -> None:
        """Add the value to an app's account; anybody may. An app that had run dry starts again.

        Raises DepositTooSmall (an app that ran dry needs what a new one needs), TooManyPayers, NoAccount, UnknownApp.
        """
        record = self._apps.app(ctx, app)
        account = self.state.accounts.find(app)
        if account is None or record.status is AppStatus.CLOSED:
            raise NoAccount(app)
        account, meter = self._advanced(ctx, app)
        if rules.is_dry(account, meter):
            account = self._run_dry(ctx, account, meter)
            record = self._apps.app(ctx, app)
        required = self.params.min_deposit
        if record.status is AppStatus.DEPLETED:
            required = self.quote_of(ctx, self._apps.app_spec(app, record.revision), record.instances)
        if ctx.value < required:
            raise DepositTooSmall(required, ctx.value)
        limit = self.params.max_deposits
        deposits = rules.add_deposit(account.deposits, ctx.sender, ctx.value, record.owner, limit)
        if deposits is None:
            raise TooManyPayers(app, limit)
        self._save(account.but(deposits=deposits), meter)
        self.host.emit(Deposited(app, ctx.sender, ctx.value))
        if record.status is AppStatus.DEPLETED:
            self._apps.funded(ctx, app)

    @method(gas=60_000)
    def settle(self, ctx: Context, app: AppId) -> None:
        """Pay the hosts of an app now what is due up to `settlement_lag` ago; anybody may. Raises NoAccount."""
        account, meter = self._advanced(ctx, app)
        until = ChainTime(U64(max(0, account.settled_at - self.params.settlement_lag)))
        self._save(self._pay_all(account, self._meter(account, until)), meter)

    @view()
    def account(self, ctx: Context, app: AppId) -> EscrowAccount:
        """The account as stored. Raises NoAccount."""
        return self._account(app)

    @view()
    def balance(self, ctx: Context, app: AppId) -> EscrowBalance:
        """The account with accrual up to this block. Raises NoAccount."""
        account, meter = self._advanced(ctx, app)
        return EscrowBalance(
            app,
            rules.balance(account),
            rules.rate_now(account, meter),
            rules.spent(account),
            rules.dry_at(account, meter),
            account.usd_rate,
            bool(account.usd_rate) and self._oracle.price(ctx).frozen,
        )

    @view()
    def earned(self, ctx: Context, node: NodeId) -> Wei:
        """What the node's operator was paid so far, fee excluded; what has accrued since is not in it."""
        return self.state.earned.find(node) or NO_WEI

    @view(gas=10_000)
    def quote(self, ctx: Context, spec: bytes, instances: U16) -> Wei:
        """The smallest first deposit of an app. Raises InvalidSpec, NoPrice."""
        return self.quote_of(ctx, self._apps.check(spec), instances)

    def quote_of(self, ctx: Context, spec: AppSpec, instances: U16) -> Wei:
        """The smallest first deposit of a checked spec."""
        rate = self._reference_rate(ctx, spec)
        held = Wei(U256(spec.standby * self._market.standby_rate(ctx, rate)))
        return rules.quote(spec, instances, rate, self.params, held)

    def open(self, ctx: Context, app: AppId, payer: Address, amount: Wei, spec: AppSpec, instances: U16) -> None:
        """For apps, which has moved `amount` here: the account of a new app. Raises DepositTooSmall."""
        required = self.quote_of(ctx, spec, instances)
        if amount < required:
            raise DepositTooSmall(required, amount)
        deposits = (Deposit(payer, amount),)
        account = EscrowAccount(app, deposits, NO_WEI, NO_WEI, ctx.now, NO_WEI, rules.NO_TIME)
        self._save(account, self._meter(account, ctx.now))
        self.host.emit(Deposited(app, payer, amount))

    def check_covers(self, ctx: Context, app: AppId, spec: AppSpec, instances: U16) -> None:
        """For apps: the balance is what a new app of this size would need. Raises BalanceTooLow."""
        self._check_balance(ctx, app, self.quote_of(ctx, spec, instances))

    def check_can_start(self, ctx: Context, app: AppId, spec: AppSpec, instances: U16) -> None:
        """For apps: the balance pays at least for placing the instances. Raises BalanceTooLow."""
        rate = self._reference_rate(ctx, spec)
        self._check_balance(ctx, app, rules.placement_cost(instances, rate, self.params.min_placement))

    def start(
        self,
        ctx: Context,
        app: AppId,
        lease: LeaseId,
        node: NodeId,
        rate: RatePerSecond,
        usd_rate: UsdRate = NO_USD_RATE,
    ) -> None:
        """For the market: the lease serves from now on, for `usd_rate` if that is not 0, else for `rate`.

        Again for one that accrues already: no change.
        """
        if (app, lease) in self.state.accruals:
            return
        account, meter = self._advanced(ctx, app)
        if usd_rate and not account.usd_rate:
            meter = self._oracle.meter_at(ctx.now)
            account = account.but(settled_index=meter.index)
        operator = self._nodes.node(ctx, node).operator
        paid = NO_WEI if usd_rate else Wei(rate)
        index = account.settled_index if usd_rate else NOTHING
        accrual = Accrual(lease, node, operator, paid, account.settled_at, usd_rate, index)
        self.state.accruals.set((app, lease), accrual)
        total, total_usd = Wei(U256(account.rate + paid)), UsdRate(U256(account.usd_rate + usd_rate))
        self._save(account.but(rate=total, usd_rate=total_usd), meter)

    def stop(
        self, ctx: Context, app: AppId, lease: LeaseId, until: ChainTime, minimum_from: ChainTime = rules.NO_TIME
    ) -> None:
        """For the market: the lease served until then (now or earlier) and its host is paid.

        `minimum_from` is when it began to run, if its tenant ended it: then it costs `min_placement` seconds at least.
        A lease that does not accrue stays as it is.
        """
        accrual = self.state.accruals.find((app, lease))
        if accrual is None:
            return
        account, meter = self._advanced(ctx, app)
        served = self._meter(account, min(until, ctx.now))
        minimum = (minimum_from, self.params.min_placement)
        account, amount, seconds = rules.close_accrual(account, accrual, served, minimum, meter.pace)
        self.state.accruals.delete((app, lease))
        self._save(self._pay(account, accrual, amount, seconds), meter)

    def close(self, ctx: Context, app: AppId) -> None:
        """For apps: pay what is still owed and give the rest back to who paid it, newest deposit first."""
        account, meter = self._advanced(ctx, app)
        account = self._pay_all(account, meter)
        self._drop_accruals(app)
        refunds = account.deposits[::-1]
        self._close(account.but(deposits=()))
        for deposit in refunds:
            self.host.pay(deposit.payer, deposit.remaining)
            self.host.emit(Refunded(app, deposit.payer, deposit.remaining))

    def price_changed(self, ctx: Context) -> None:
        """For the oracle: the meter runs at another pace, so its next reading comes at another time."""
        self._wake(self._oracle.meter_at(ctx.now))

    @scheduled(DEPLETION)
    def deplete(self, ctx: Context, subject: int) -> None:
        """The account may run dry."""
        self._look_at(ctx, AppId(U64(subject)))

    @scheduled(METER)
    def read_meter(self, ctx: Context, subject: int) -> None:
        """Accounts whose reading of the meter comes within a second may run dry."""
        meter = self._oracle.meter_at(ctx.now)
        self.state.wake_at.set(rules.NO_TIME)
        for index, app in list(islice(self.state.by_index, LOOKED_AT)):
            if rules.reached_at(index, meter) > ctx.now:
                break
            self._look_at(ctx, app)
        self._wake(meter)

    def meter_now(self) -> Meter:
        """The meter of this block; for invariants."""
        return self._oracle.meter_at(self.host.block.now)

    def _look_at(self, ctx: Context, app: AppId) -> None:
        account, meter = self._advanced(ctx, app)
        if rules.is_dry(account, meter):
            self._run_dry(ctx, account, meter)
        elif rules.is_watched(account):
            self._save(account, meter)

    def _run_dry(self, ctx: Context, account: EscrowAccount, meter: Meter) -> EscrowAccount:
        """Pay out the last wei of an advanced account, stop all accrual, tell the app. Returns the empty account."""
        account = self._pay_all(account, meter)
        account = self._pay_rest(account)
        self._drop_accruals(account.app)
        account = self._close(account)
        self.host.emit(Depleted(account.app))
        self._apps.depleted(ctx, account.app)
        return account

    def _account(self, app: AppId) -> EscrowAccount:
        account = self.state.accounts.find(app)
        if account is None:
            raise NoAccount(app)
        return account

    def _advanced(self, ctx: Context, app: AppId) -> tuple[EscrowAccount, Meter]:
        """The account with accrual up to now, and the meter now. Raises NoAccount."""
        account = self._account(app)
        meter = self._meter(account, ctx.now)
        return rules.advance(account, meter), meter

    def _meter(self, account: EscrowAccount, time: ChainTime) -> Meter:
        """The meter at a time; one that stands still for an account without leases in dollars."""
        return self._oracle.meter_at(time) if account.usd_rate else Meter(time, NOTHING, NOTHING)

    def _check_balance(self, ctx: Context, app: AppId, required: Wei) -> None:
        available = rules.balance(self._advanced(ctx, app)[0])
        if available < required:
            raise BalanceTooLow(app, required, available)

    def _reference_rate(self, ctx: Context, spec: AppSpec) -> Wei:
        at_reference = self._market.rate_of(ctx, spec, self.params.reference_ask)
        return rules.reference_rate(spec, at_reference, self._oracle.value(ctx))

    def _pay_all(self, account: EscrowAccount, until: Meter) -> EscrowAccount:
        """Pay every accruing lease up to `until`, in the order of their ids."""
        for key, accrual in list(self.state.accruals.under(account.app.to_bytes(8, "big"))):
            account, paid, amount, seconds = rules.pay_until(account, accrual, until)
            if paid != accrual:
                self.state.accruals.set(key, paid)
                account = self._pay(account, accrual, amount, seconds)
        return account

    def _pay_rest(self, account: EscrowAccount) -> EscrowAccount:
        """What is left of a dry account is less than one second costs; the lease that is longest there gets it."""
        rest = rules.total(account.deposits)
        for _, accrual in self.state.accruals.under(account.app.to_bytes(8, "big")):
            return self._pay(account, accrual, rest, Seconds(U64(0)))
        return account

    def _pay(self, account: EscrowAccount, accrual: Accrual, amount: Wei, seconds: Seconds) -> EscrowAccount:
        if amount == 0:
            return account
        fee = rules.fee_of(amount, self.params.fee_basis_points)
        net = Wei(U256(amount - fee))
        self.host.pay(accrual.operator, net)
        self.host.pay(TREASURY, fee)
        self.state.earned.set(accrual.node, Wei(U256((self.state.earned.find(accrual.node) or 0) + net)))
        self.host.emit(HostPaid(account.app, accrual.node, accrual.operator, net, fee, U64(seconds), accrual.lease))
        return account.but(
            deposits=rules.spend(account.deposits, amount),
            spent=Wei(U256(account.spent + amount)),
        )

    def _drop_accruals(self, app: AppId) -> None:
        for key, _ in list(self.state.accruals.under(app.to_bytes(8, "big"))):
            self.state.accruals.delete(key)

    def _close(self, account: EscrowAccount) -> EscrowAccount:
        """Store an account in which nothing accrues and nothing is watched."""
        still = account.but(rate=NO_WEI, owed=NO_WEI, usd_rate=NO_USD_RATE, usd_owed=NOTHING)
        return self._store(still, rules.NO_TIME, NOTHING, None)

    def _save(self, account: EscrowAccount, meter: Meter) -> EscrowAccount:
        """Store an advanced account and have it looked at when it can be dry at the earliest."""
        at, index = rules.depletion(account, meter)
        return self._store(account, at, index, meter)

    def _store(self, account: EscrowAccount, at: ChainTime, index: U256, meter: Meter | None) -> EscrowAccount:
        if at != account.depletes_at:
            if account.depletes_at:
                self.host.unschedule(account.depletes_at, DEPLETION, account.app)
            if at:
                self.host.schedule(at, DEPLETION, account.app)
        if index != account.depletes_index:
            if account.depletes_index:
                self.state.by_index.discard((account.depletes_index, account.app))
            if index:
                self.state.by_index.add((index, account.app))
        saved = account.but(depletes_at=at, depletes_index=index)
        self.state.accounts.set(account.app, saved)
        if index != account.depletes_index and meter is not None:
            self._wake(meter)
        return saved

    def _wake(self, meter: Meter) -> None:
        """Have the account whose reading comes first looked at then. One that is gone wakes for nothing."""
        first = next(iter(self.state.by_index), None)
        if first is None:
            return
        due = rules.reached_at(first[0], meter)
        known = self.state.wake_at.get()
        if due != known:
            if known:
                self.host.unschedule(known, METER, 0)
            self.host.schedule(due, METER, 0)
            self.state.wake_at.set(due)
