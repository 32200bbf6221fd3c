"""Where instances may run and what they may cost: the words of `x-flux`, the command line and Flux specs."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from flux.contracts.apps.types import Constraints
from flux.contracts.nodes.types import Tier
from flux.primitives import geo
from flux.primitives.types import WEI_PER_GWEI, Wei
from flux.primitives.units import UnitError, parse_flux
from flux.specs.quantities import QuantityError

TIERS = tuple(tier.name.lower() for tier in Tier if tier is not Tier.NONE)
SPREADS = ("operator", "prefix", "country", "none")
ARCHITECTURES = ("amd64", "arm64")
MAX_GEO_RULES = 10
MAX_INSTANCES = 1000

_AMOUNT = re.compile(r"\s*([0-9.]+)\s*(?:FLUX)?\s*", re.ASCII | re.IGNORECASE)


def parse_tier(text: str) -> int:
    """The number of a tier's name."""
    return int(Tier[text.upper()])


def parse_amount(text: str) -> Wei:
    """Wei of an amount such as 12.5, "12.5" or "12.5 FLUX"."""
    match = _AMOUNT.fullmatch(text)
    try:
        return parse_flux(match[1] if match else text)
    except UnitError as error:
        raise QuantityError(str(error)) from error


class MaxPrice(NamedTuple):
    """The most that one instance may cost, in billionths per hour; 0 for the currency that it is not in."""

    gwei: int = 0
    nanousd: int = 0


ANY_PRICE = MaxPrice()


def parse_max_price(text: str) -> MaxPrice:
    """A price per hour in FLUX (0.05) or in dollars ($0.05); at least a billionth, since 0 would mean any price."""
    in_dollars = text.strip().startswith("$")
    wei = parse_amount(text.strip().removeprefix("$"))
    if wei % WEI_PER_GWEI:
        raise QuantityError(f"a price has at most 9 decimals, got {text}")
    if wei == 0:
        raise QuantityError("a maximum price of 0 allows no node: leave it out to accept any price")
    if wei // WEI_PER_GWEI > 2**53:
        raise QuantityError(f"{text} per hour is more than any node may ask: leave it out to accept any price")
    return MaxPrice(nanousd=wei // WEI_PER_GWEI) if in_dollars else MaxPrice(gwei=wei // WEI_PER_GWEI)


def with_max_price(constraints: Constraints, price: MaxPrice) -> Constraints:
    """The constraints with another maximum price, in its currency only."""
    return msgspec.structs.replace(constraints, max_price_gwei_hour=price.gwei, max_price_nanousd_hour=price.nanousd)


def check_geo_rules(rules: Sequence[str]) -> tuple[str, ...]:
    """The rules in the form that goes on chain. Raises geo.GeoError.

    Older specs pair a continent with a country (aEU and bFR), both of which must hold; as alternatives, which is what
    rules are on chain, that pair is acEU_FR.
    """
    if len(rules) > MAX_GEO_RULES:
        raise geo.GeoError(f"at most {MAX_GEO_RULES} geolocation rules are allowed, got {len(rules)}")
    for rule in rules:
        geo.parse(rule)
    continents = [rule[1:] for rule in rules if rule[0] == "a" and not rule.startswith(("ac", "a!c"))]
    countries = [rule[1:] for rule in rules if rule[0] == "b"]
    if not (continents and countries):
        return tuple(dict.fromkeys(rules))
    pairs = [f"ac{continent}_{country}" for continent in continents for country in countries]
    modern = [rule for rule in rules if rule.startswith(("ac", "a!c"))]
    return tuple(dict.fromkeys([*pairs, *modern]))
