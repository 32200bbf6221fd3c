"""Pure arithmetic of the escrow. All amounts are wei, all times seconds of protocol time.

What an account owes is always the sum over accruing leases of rate × (settled_at − paid_until), and of those in dollars
of rate × (settled_index − paid_index) in parts of a wei; so a rate change costs the same however many leases there are,
a price change costs nothing, and a lease is paid on its own when it ends. The parts are summed without rounding, so
what a host gets does not depend on when anybody looked. The debt never passes the deposits: an account is dry from the
second on whose whole successor they cannot pay.
"""

from collections.abc import Sequence

from flux.contracts.apps.types import AppSpec
from flux.contracts.escrow.types import NOTHING, Accrual, Deposit, EscrowAccount, EscrowParams
from flux.contracts.market.types import RatePerSecond, UsdRate
from flux.contracts.oracle.types import METER_UNIT, PRICE_UNIT, Meter, NoPrice, UsdPrice
from flux.primitives.types import NO_WEI, U64, U256, WEI_PER_GWEI, Address, ChainTime, Seconds, Wei

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


def is_watched(account: EscrowAccount) -> bool:
    """Whether it is open and can run dry."""
    return bool(account.depletes_at or account.depletes_index)


def is_dry(account: EscrowAccount, meter: Meter) -> bool:
    """Whether an account that was advanced to the meter cannot pay one more second in full."""
    left = parts_left(account)
    return is_watched(account) and (left < METER_UNIT or left < _parts_per_second(account, meter))


def advance(account: EscrowAccount, meter: Meter) -> EscrowAccount:
    """The account with accrual counted up to the meter's time, or as far as the deposits go.

    If they do not go so far, everything stops at the same part of the way: of an account in FLUX, after the last whole
    second that they pay; of one in dollars, at the very reading of the meter.
    """
    elapsed = max(0, meter.at - account.settled_at)
    passed = max(0, meter.index - account.settled_index) if account.usd_rate else 0
    due = account.rate * elapsed * METER_UNIT + account.usd_rate * passed
    left = parts_left(account)
    if due > left:
        elapsed, passed = elapsed * left // due, passed * left // due
    return account.but(
        owed=_wei(account.owed + account.rate * elapsed),
        settled_at=ChainTime(U64(account.settled_at + elapsed)),
        usd_owed=U256(account.usd_owed + account.usd_rate * passed),
        settled_index=U256(account.settled_index + passed if account.usd_rate else meter.index),
    )


def parts_left(account: EscrowAccount) -> int:
    """What is left after everything owed, in parts of a wei."""
    return (total(account.deposits) - account.owed) * METER_UNIT - account.usd_owed


def balance(account: EscrowAccount) -> Wei:
    """What is left after everything owed at `settled_at`."""
    return _wei(parts_left(account) // METER_UNIT)


def spent(account: EscrowAccount) -> Wei:
    """What the app cost up to `settled_at`, paid out or not."""
    return _wei(account.spent + total(account.deposits) - balance(account))


def rate_now(account: EscrowAccount, meter: Meter) -> Wei:
    """Wei per second of all leases at the present price, rounded up."""
    return _wei(-(-_parts_per_second(account, meter) // METER_UNIT))


def depletion(account: EscrowAccount, meter: Meter) -> tuple[ChainTime, U256]:
    """When an account that was advanced to the meter is to be looked at: at a time, at a reading, or what comes first.

    In one currency that is when it is dry, exactly: the last second that the deposits pay in full, or the reading at
    which they are spent. In both it is when leases of either have spent half of what is left; then it is asked again.
    An account without money is dry at once, whether anything accrues or not. (0, 0) for never.
    """
    left, per_second = parts_left(account), _parts_per_second(account, meter)
    if left < METER_UNIT or left < per_second:
        return account.settled_at, NOTHING
    at, index, share = NO_TIME, NOTHING, 1 + bool(account.rate and account.usd_rate)
    if account.rate:
        seconds = max(1, left // (account.rate * METER_UNIT * share))
        at = ChainTime(U64(min(account.settled_at + seconds, FAR_FUTURE)))
    if account.usd_rate:
        index = U256(account.settled_index + max(meter.pace, left // (account.usd_rate * share)))
    return at, index


def dry_at(account: EscrowAccount, meter: Meter) -> ChainTime:
    """The last second that the deposits pay in full at the present price; 0 for never."""
    per_second = _parts_per_second(account, meter)
    if not is_watched(account) or not per_second:
        return account.depletes_at
    return ChainTime(U64(min(account.settled_at + parts_left(account) // per_second, FAR_FUTURE)))


def reached_at(index: U256, meter: Meter) -> ChainTime:
    """The last second before the meter passes a reading, at its present pace; never later than FAR_FUTURE."""
    return ChainTime(U64(min(meter.at + max(0, index - meter.index) // meter.pace, FAR_FUTURE)))


def own_part(account: EscrowAccount, accrual: Accrual) -> Wei:
    """The lease's part of what the account owes, if it is in FLUX."""
    return _wei(accrual.rate * (account.settled_at - accrual.paid_until))


def own_parts(account: EscrowAccount, accrual: Accrual) -> U256:
    """The lease's part of what the account owes, if it is in dollars: in parts of a wei."""
    if not accrual.usd_rate:
        return NOTHING
    return U256(accrual.usd_rate * (account.settled_index - accrual.paid_index) + accrual.rest)


def pay_until(account: EscrowAccount, accrual: Accrual, until: Meter) -> tuple[EscrowAccount, Accrual, Wei, Seconds]:
    """(account, lease, wei, seconds) after paying a lease up to `until`, not before what was paid and not beyond what
    the account was advanced to. What makes no whole wei stays owed."""
    end = min(max(until.at, accrual.paid_until), account.settled_at)
    seconds = _seconds(end - accrual.paid_until)
    if not accrual.usd_rate:
        amount = _wei(accrual.rate * seconds)
        return account.but(owed=_wei(account.owed - amount)), accrual.but(paid_until=end), amount, seconds
    index = min(max(until.index, accrual.paid_index), account.settled_index)
    whole, rest = divmod(accrual.usd_rate * (index - accrual.paid_index) + accrual.rest, METER_UNIT)
    paid = accrual.but(paid_until=ChainTime(U64(end)), paid_index=U256(index), rest=U256(rest))
    return account.but(usd_owed=U256(account.usd_owed - whole * METER_UNIT)), paid, _wei(whole), seconds


def close_accrual(
    account: EscrowAccount, accrual: Accrual, until: Meter, minimum: tuple[ChainTime, Seconds], pace: U256
) -> tuple[EscrowAccount, Wei, Seconds]:
    """(account, wei, seconds) when a lease stops that served until then.

    `minimum` is (when it began to run, how long it costs at least); what is missing to that counts at the present pace
    of the meter, and only from what nobody else is owed. A beginning of 0 means no minimum.
    """
    began, least = minimum
    account, accrual, amount, served = pay_until(account, accrual, until)
    account = account.but(
        rate=_wei(account.rate - accrual.rate),
        usd_rate=UsdRate(U256(account.usd_rate - accrual.usd_rate)),
        owed=_wei(account.owed - own_part(account, accrual)),
        usd_owed=U256(account.usd_owed - own_parts(account, accrual)),
    )
    extra = max(0, began + least - accrual.paid_until) if began else 0
    wanted = accrual.rate * extra + accrual.usd_rate * pace * extra // METER_UNIT
    free = parts_left(account) // METER_UNIT - amount
    return account, _wei(amount + min(wanted, free)), _seconds(served + extra)


def reference_rate(spec: AppSpec, at_reference_ask: RatePerSecond, price: UsdPrice) -> Wei:
    """Wei per second of one instance for minimum deposits: the spec's own maximum, else the reference prices.

    Raises NoPrice for a maximum in dollars while nobody ever said what they come to.
    """
    if dollars := spec.constraints.max_price_nanousd_hour:
        if not price:
            raise NoPrice()
        return _wei(dollars * PRICE_UNIT // price * WEI_PER_GWEI // SECONDS_PER_HOUR)
    if spec.constraints.max_price_gwei_hour:
        return _wei(spec.constraints.max_price_gwei_hour * WEI_PER_GWEI // SECONDS_PER_HOUR)
    return _wei(at_reference_ask)


def quote(spec: AppSpec, instances: int, rate: Wei, params: EscrowParams, held: Wei = NO_WEI) -> Wei:
    """The smallest deposit: `min_runtime` of all instances, and their volumes for as long as they are kept.

    `held` is what all nodes that stand by cost per second, for `min_runtime` too.
    """
    volumes_mib = sum(volume.size_mib for volume in spec.volumes)
    disk_price = params.reference_ask.disk * WEI_PER_GWEI
    kept = volumes_mib * disk_price * params.volume_grace // (MIB_PER_GIB * SECONDS_PER_HOUR)
    least = instances * (rate * params.min_runtime + kept) + held * params.min_runtime
    return _wei(max(params.min_deposit, least))


def placement_cost(instances: int, rate: Wei, minimum: Seconds) -> Wei:
    """What all instances cost at the least once they are placed."""
    return _wei(instances * rate * minimum)


def _parts_per_second(account: EscrowAccount, meter: Meter) -> int:
    return account.rate * METER_UNIT + account.usd_rate * meter.pace


def _wei(amount: int) -> Wei:
    return Wei(U256(amount))


def _seconds(amount: int) -> Seconds:
    return Seconds(U64(amount))
