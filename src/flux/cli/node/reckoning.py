"""What a node brings its operator. Pure; in USD, for people: nothing here touches the chain's integers."""

from typing import NamedTuple

from flux.primitives.types import WEI_PER_FLUX

HOURS_PER_DAY = 24
DAYS_PER_YEAR = 365


class Income(NamedTuple):
    """What comes in, in wei a day."""

    emission: int
    """Of the whole node."""
    commission: float
    """Part of it that is the operator's before anybody else's."""
    own_part: float
    """The operator's part of all stake."""
    tenants: int
    """What tenants pay, the protocol's fee taken off."""


class Costs(NamedTuple):
    """What the user says."""

    usd_per_flux: float
    watts: float
    usd_per_kwh: float
    hardware_usd: float
    hardware_years: float


class Line(NamedTuple):
    """One line of the reckoning, USD a day; costs are negative."""

    key: str
    name: str
    day: float


class Reckoning(NamedTuple):
    """The whole, the last line being what is left."""

    lines: tuple[Line, ...]
    invested: float
    """Own stake and hardware, in USD."""
    yearly_return: float
    """What is left of a year, as a part of it."""


def reckon(income: Income, costs: Costs, own_stake: int) -> Reckoning:
    """Income less costs for the operator."""
    usd = costs.usd_per_flux / WEI_PER_FLUX
    kept = income.commission + (1 - income.commission) * income.own_part
    lines = [
        Line("emission", "emission, your part", income.emission * kept * usd),
        Line("tenants", "tenants", income.tenants * usd),
        Line("electricity", "electricity", -costs.watts / 1_000 * HOURS_PER_DAY * costs.usd_per_kwh),
        Line("hardware", "hardware wearing out", -costs.hardware_usd / (costs.hardware_years * DAYS_PER_YEAR)),
    ]
    left = sum(line.day for line in lines)
    invested = own_stake * usd + costs.hardware_usd
    yearly = left * DAYS_PER_YEAR / invested if invested else 0.0
    return Reckoning((*lines, Line("left", "what is left", left)), invested, yearly)
