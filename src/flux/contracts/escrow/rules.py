"""Pure arithmetic of the escrow. All amounts are wei, all times seconds of protocol time.

`owed` is always the sum over accruing leases of rate × (settled_at − paid_until); so a rate change costs the same
however many leases there are, and a lease is paid on its own when it ends. `owed` never passes the deposits: an account
is dry from the second on whose whole successor they cannot pay.
"""

from collections.abc import Sequence

from flux.contracts.apps.types import AppSpec
from flux.contracts.escrow.types import Accrual, Deposit, EscrowAccount, EscrowParams
from flux.contracts.market.types import RatePerSecond
from flux.primitives.types import U64, U256, WEI_PER_GWEI, Address, ChainTime, Seconds, Wei

FAR_FUTURE = 2**62
"""Depletion later than this is never; keeps times inside 64 bits."""
BASIS_POINTS = 10_000
SECONDS_PER_HOUR = 3_600
MIB_PER_GIB = 1_024
NO_TIME = ChainTime(U64(0))


def total(deposits: Sequence[Deposit]) -> Wei:
    """What is left of all deposits."""
    return _wei(sum(deposit.remaining for deposit in deposits))


def add_deposit(
    deposits: tuple[Deposit, ...], payer: Address, amount: Wei, owner: Address, limit: int
) -> tuple[Deposit, ...] | None:
    """The deposits with one more at the end, or None when there is no room for this payer.

    Money of the payer who paid last joins it. One place is kept for the owner, so that strangers with small deposits
    cannot lock the owner out; who finds the list full adds to their own newest deposit.
    """
    own = max((place for place, deposit in enumerate(deposits) if deposit.payer == payer), default=None)
    is_owner_here = payer == owner or any(deposit.payer == owner for deposit in deposits)
    room = limit - len(deposits) - (0 if is_owner_here else 1)
    if own is not None and (own == len(deposits) - 1 or room <= 0):
        merged = Deposit(payer, _wei(deposits[own].remaining + amount))
        return (*deposits[:own], merged, *deposits[own + 1 :])
    return (*deposits, Deposit(payer, amount)) if room > 0 else None


def spend(deposits: Sequence[Deposit], amount: Wei) -> tuple[Deposit, ...]:
    """The deposits after taking `amount`, oldest first; empty ones are dropped. `amount` must not exceed the total."""
    left: list[Deposit] = []
    for deposit in deposits:
        taken = min(amount, deposit.remaining)
        amount = _wei(amount - taken)
        if deposit.remaining > taken:
            left.append(Deposit(deposit.payer, _wei(deposit.remaining - taken)))
    return tuple(left)


def fee_of(amount: Wei, basis_points: int) -> Wei:
    """The protocol's part, rounded down; the host gets the rest, so nothing is lost."""
    return _wei(amount * basis_points // BASIS_POINTS)


def is_dry(account: EscrowAccount, now: ChainTime) -> bool:
    """Whether the moment of depletion has come."""
    return 0 < account.depletes_at <= now


def advance(account: EscrowAccount, now: ChainTime) -> EscrowAccount:
    """The account with accrual counted up to now, or up to its depletion if that came first."""
    at = account.depletes_at if is_dry(account, now) else now
    elapsed = max(0, at - account.settled_at)
    return account.but(owed=_wei(account.owed + account.rate * elapsed), settled_at=max(at, account.settled_at))


def balance(account: EscrowAccount) -> Wei:
    """What is left after everything owed at `settled_at`."""
    return _wei(total(account.deposits) - account.owed)


def spent(account: EscrowAccount) -> Wei:
    """What the app cost up to `settled_at`, paid out or not."""
    return _wei(account.spent + account.owed)


def depletion(account: EscrowAccount) -> ChainTime:
    """The last second that the deposits pay in full for every lease; 0 for never.

    An account without money is dry at once, whether anything accrues or not.
    """
    left = balance(account)
    if left == 0:
        return account.settled_at
    if account.rate == 0:
        return NO_TIME
    return ChainTime(U64(min(account.settled_at + left // account.rate, FAR_FUTURE)))


def own_part(account: EscrowAccount, accrual: Accrual) -> Wei:
    """The lease's part of what the account owes."""
    return _wei(accrual.rate * (account.settled_at - accrual.paid_until))


def closing_seconds(
    account: EscrowAccount, accrual: Accrual, until: ChainTime, minimum_from: ChainTime, minimum: Seconds
) -> tuple[Seconds, Seconds]:
    """(seconds served and unpaid, seconds on top of them to reach the minimum) of a lease that stops.

    `until` may lie before what was already paid: nothing is taken back.
    """
    end = min(max(until, accrual.paid_until), account.settled_at)
    short = minimum_from + minimum - end if minimum_from else 0
    return _seconds(end - accrual.paid_until), _seconds(max(0, short))


def closing_amount(account: EscrowAccount, accrual: Accrual, served: Seconds, extra: Seconds) -> Wei:
    """What a lease gets when it stops: its served time, and the extra only from what nobody else is owed."""
    due = accrual.rate * served
    free = total(account.deposits) - (account.owed - own_part(account, accrual)) - due
    return _wei(due + min(accrual.rate * extra, free))


def reference_rate(spec: AppSpec, at_reference_ask: RatePerSecond) -> Wei:
    """Wei per second of one instance for minimum deposits: the spec's own maximum, else the reference prices."""
    if spec.constraints.max_price_gwei_hour:
        return _wei(spec.constraints.max_price_gwei_hour * WEI_PER_GWEI // SECONDS_PER_HOUR)
    return _wei(at_reference_ask)


def quote(spec: AppSpec, instances: int, rate: Wei, params: EscrowParams) -> Wei:
    """The smallest deposit: `min_runtime` of all instances, and their volumes for as long as they are kept."""
    volumes_mib = sum(volume.size_mib for volume in spec.volumes)
    disk_price = params.reference_ask.disk * WEI_PER_GWEI
    kept = volumes_mib * disk_price * params.volume_grace // (MIB_PER_GIB * SECONDS_PER_HOUR)
    return _wei(max(params.min_deposit, instances * (rate * params.min_runtime + kept)))


def placement_cost(instances: int, rate: Wei, minimum: Seconds) -> Wei:
    """What all instances cost at the least once they are placed."""
    return _wei(instances * rate * minimum)


def _wei(amount: int) -> Wei:
    return Wei(U256(amount))


def _seconds(amount: int) -> Seconds:
    return Seconds(U64(amount))
