"""Escrow: one account per app; every second of every lease is paid for, and no wei more than was deposited."""

from flux.contracts.addresses import ESCROW, TREASURY
from flux.contracts.apps.types import AppId, AppSpec, AppStatus, InvalidSpec, UnknownApp
from flux.contracts.escrow import rules
from flux.contracts.escrow.ports import AppsPort, MarketPort, NodesPort
from flux.contracts.escrow.state import EscrowState
from flux.contracts.escrow.types import (
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
from flux.contracts.market.types import LeaseId, RatePerSecond
from flux.contracts.nodes.types import NodeId
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, scheduled, view
from flux.primitives.types import NO_WEI, U16, U64, U256, Address, ChainTime, Seconds, Wei

DEPLETION = 1
"""Kind of the scheduled work; its subject is the app."""


class Escrow(Contract):
    """Deposits, accrual per second, payment of hosts, refunds."""

    name = "Escrow"
    address = ESCROW
    events = (Deposited, HostPaid, Depleted, Refunded)
    errors = (DepositTooSmall, BalanceTooLow, TooManyPayers, NoAccount, UnknownApp, InvalidSpec)

    def __init__(self, host: Host, params: EscrowParams, apps: AppsPort, market: MarketPort, nodes: NodesPort) -> None:
        super().__init__(host)
        self.params = params
        self.state = EscrowState(host.storage)
        self._apps = apps
        self._market = market
        self._nodes = nodes

    @method(gas=40_000, payable=True)
    def top_up(self, ctx: Context, app: AppId) -> None:
        """Add the value to an app's account; anybody may. An app that had run dry starts again.

        Raises DepositTooSmall (an app that ran dry needs what a new one needs), TooManyPayers, NoAccount, UnknownApp.
        """
        record = self._apps.app(ctx, app)
        account = self.state.accounts.find(app)
        if account is None or record.status is AppStatus.CLOSED:
            raise NoAccount(app)
        if rules.is_dry(account, ctx.now):
            account = self._run_dry(ctx, account)
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
        self._save(rules.advance(account, ctx.now).but(deposits=deposits))
        self.host.emit(Deposited(app, ctx.sender, ctx.value))
        if record.status is AppStatus.DEPLETED:
            self._apps.funded(ctx, app)

    @method(gas=60_000)
    def settle(self, ctx: Context, app: AppId) -> None:
        """Pay the hosts of an app now what is due up to `settlement_lag` ago; anybody may. Raises NoAccount."""
        account = rules.advance(self._account(app), ctx.now)
        until = max(0, account.settled_at - self.params.settlement_lag)
        self._save(self._pay_all(account, ChainTime(U64(until))))

    @view()
    def account(self, ctx: Context, app: AppId) -> EscrowAccount:
        """The account as stored. Raises NoAccount."""
        return self._account(app)

    @view()
    def balance(self, ctx: Context, app: AppId) -> EscrowBalance:
        """The account with accrual up to this block. Raises NoAccount."""
        account = rules.advance(self._account(app), ctx.now)
        return EscrowBalance(app, rules.balance(account), account.rate, rules.spent(account), account.depletes_at)

    @view()
    def earned(self, ctx: Context, node: NodeId) -> Wei:
        """What the node's operator was paid so far, fee excluded; what has accrued since is not in it."""
        return self.state.earned.find(node) or NO_WEI

    @view(gas=10_000)
    def quote(self, ctx: Context, spec: bytes, instances: U16) -> Wei:
        """The smallest first deposit of an app. Raises InvalidSpec."""
        return self.quote_of(ctx, self._apps.check(spec), instances)

    def quote_of(self, ctx: Context, spec: AppSpec, instances: U16) -> Wei:
        """The smallest first deposit of a checked spec."""
        return rules.quote(spec, instances, self._reference_rate(ctx, spec), self.params)

    def open(self, ctx: Context, app: AppId, payer: Address, amount: Wei, spec: AppSpec, instances: U16) -> None:
        """For apps, which has moved `amount` here: the account of a new app. Raises DepositTooSmall."""
        required = self.quote_of(ctx, spec, instances)
        if amount < required:
            raise DepositTooSmall(required, amount)
        deposits = (Deposit(payer, amount),)
        self._save(EscrowAccount(app, deposits, NO_WEI, NO_WEI, ctx.now, NO_WEI, rules.NO_TIME))
        self.host.emit(Deposited(app, payer, amount))

    def check_covers(self, ctx: Context, app: AppId, spec: AppSpec, instances: U16) -> None:
        """For apps: the balance is what a new app of this size would need. Raises BalanceTooLow."""
        self._check_balance(ctx, app, self.quote_of(ctx, spec, instances))

    def check_can_start(self, ctx: Context, app: AppId, spec: AppSpec, instances: U16) -> None:
        """For apps: the balance pays at least for placing the instances. Raises BalanceTooLow."""
        rate = self._reference_rate(ctx, spec)
        self._check_balance(ctx, app, rules.placement_cost(instances, rate, self.params.min_placement))

    def start(self, ctx: Context, app: AppId, lease: LeaseId, node: NodeId, rate: RatePerSecond) -> None:
        """For the market: the lease serves from now on. Again for one that accrues already: no change."""
        if (app, lease) in self.state.accruals:
            return
        account = rules.advance(self._account(app), ctx.now)
        operator = self._nodes.node(ctx, node).operator
        self.state.accruals.set((app, lease), Accrual(lease, node, operator, rate, account.settled_at))
        self._save(account.but(rate=Wei(U256(account.rate + rate))))

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
        account = rules.advance(self._account(app), ctx.now)
        served, extra = rules.closing_seconds(account, accrual, until, minimum_from, self.params.min_placement)
        amount = rules.closing_amount(account, accrual, served, extra)
        account = account.but(
            rate=Wei(U256(account.rate - accrual.rate)),
            owed=Wei(U256(account.owed - rules.own_part(account, accrual))),
        )
        self.state.accruals.delete((app, lease))
        self._save(self._pay(account, accrual, amount, Seconds(U64(served + extra))))

    def close(self, ctx: Context, app: AppId) -> None:
        """For apps: pay what is still owed and give the rest back to who paid it, newest deposit first."""
        account = rules.advance(self._account(app), ctx.now)
        account = self._pay_all(account, account.settled_at)
        self._drop_accruals(app)
        refunds = account.deposits[::-1]
        self._save(account.but(deposits=(), rate=NO_WEI, owed=NO_WEI), is_open=False)
        for deposit in refunds:
            self.host.pay(deposit.payer, deposit.remaining)
            self.host.emit(Refunded(app, deposit.payer, deposit.remaining))

    @scheduled(DEPLETION)
    def deplete(self, ctx: Context, subject: int) -> None:
        """The account runs dry."""
        account = self._account(AppId(U64(subject)))
        if rules.is_dry(account, ctx.now):
            self._run_dry(ctx, account)

    def _run_dry(self, ctx: Context, account: EscrowAccount) -> EscrowAccount:
        """Pay out the last wei, stop all accrual, tell the app. Returns the empty account."""
        account = rules.advance(account, ctx.now)
        account = self._pay_all(account, account.settled_at)
        account = self._pay_rest(account)
        self._drop_accruals(account.app)
        account = self._save(account.but(rate=NO_WEI, owed=NO_WEI), is_open=False)
        self.host.emit(Depleted(account.app))
        self._apps.depleted(ctx, account.app)
        return account

    def _account(self, app: AppId) -> EscrowAccount:
        account = self.state.accounts.find(app)
        if account is None:
            raise NoAccount(app)
        return account

    def _check_balance(self, ctx: Context, app: AppId, required: Wei) -> None:
        available = rules.balance(rules.advance(self._account(app), ctx.now))
        if available < required:
            raise BalanceTooLow(app, required, available)

    def _reference_rate(self, ctx: Context, spec: AppSpec) -> Wei:
        return rules.reference_rate(spec, self._market.rate_of(ctx, spec, self.params.reference_ask))

    def _pay_all(self, account: EscrowAccount, until: ChainTime) -> EscrowAccount:
        """Pay every accruing lease up to `until`, in the order of their ids."""
        for key, accrual in list(self.state.accruals.under(account.app.to_bytes(8, "big"))):
            seconds = until - accrual.paid_until
            if seconds <= 0:
                continue
            amount = Wei(U256(accrual.rate * seconds))
            self.state.accruals.set(key, accrual.but(paid_until=until))
            account = account.but(owed=Wei(U256(account.owed - amount)))
            account = self._pay(account, accrual, amount, Seconds(U64(seconds)))
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
        self.host.emit(HostPaid(account.app, accrual.node, accrual.operator, net, fee, U64(seconds)))
        return account.but(
            deposits=rules.spend(account.deposits, amount),
            spent=Wei(U256(account.spent + amount)),
        )

    def _drop_accruals(self, app: AppId) -> None:
        for key, _ in list(self.state.accruals.under(app.to_bytes(8, "big"))):
            self.state.accruals.delete(key)

    def _save(self, account: EscrowAccount, *, is_open: bool = True) -> EscrowAccount:
        """Store the account and keep exactly one depletion scheduled, at the right time; none when it is not open."""
        depletes_at = rules.depletion(account) if is_open else rules.NO_TIME
        if depletes_at != account.depletes_at:
            if account.depletes_at:
                self.host.unschedule(account.depletes_at, DEPLETION, account.app)
            if depletes_at:
                self.host.schedule(depletes_at, DEPLETION, account.app)
        saved = account.but(depletes_at=depletes_at)
        self.state.accounts.set(account.app, saved)
        return saved
