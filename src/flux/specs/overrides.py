"""What the command line says over the file: name, instances, where, at what price."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from flux.primitives import geo
from flux.specs.loaded import LoadedSpec, SpecError
from flux.specs.names import is_app_name, suggest_app_name
from flux.specs.placement import (
    MAX_INSTANCES,
    TIERS,
    check_geo_rules,
    parse_amount,
    parse_max_price,
    parse_tier,
    with_max_price,
)
from flux.specs.quantities import QuantityError

Typed = TypeVar("Typed")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Overrides:
    """Options as they were typed; None or empty leaves what the file says."""

    name: str | None = None
    instances: int | None = None
    geo: Sequence[str] = ()
    max_price: str | None = None
    """FLUX, or with $ dollars, per hour of one instance."""
    deposit: str | None = None
    """FLUX."""
    tier: str | None = None


def override(loaded: LoadedSpec, overrides: Overrides) -> LoadedSpec:
    """The spec with the options put in. Raises SpecError naming the option."""
    constraints = loaded.app_spec.constraints
    if overrides.geo:
        rules = _parsed("--geo", tuple(overrides.geo), check_geo_rules)
        constraints = msgspec.structs.replace(constraints, geo=rules)
    if overrides.max_price is not None:
        price = _parsed("--max-price", overrides.max_price, parse_max_price)
        constraints = with_max_price(constraints, price)
    if overrides.tier is not None:
        if overrides.tier not in TIERS:
            raise SpecError(f"--tier: {overrides.tier!r} is not one of {', '.join(TIERS)}")
        constraints = msgspec.structs.replace(constraints, min_tier=parse_tier(overrides.tier))
    options = loaded.options
    if overrides.name is not None:
        options = replace(options, name=_name(overrides.name))
    if overrides.instances is not None:
        if not 1 <= overrides.instances <= MAX_INSTANCES:
            raise SpecError(f"--instances: expected 1 to {MAX_INSTANCES}, got {overrides.instances}")
        options = replace(options, instances=overrides.instances)
    if overrides.deposit is not None:
        options = replace(options, deposit=_parsed("--deposit", overrides.deposit, parse_amount))
    app_spec = msgspec.structs.replace(loaded.app_spec, constraints=constraints)
    return replace(loaded, app_spec=app_spec, options=options)


def _parsed(option: str, typed: Typed, parse: Callable[[Typed], Value]) -> Value:
    try:
        return parse(typed)
    except (QuantityError, geo.GeoError) as error:
        raise SpecError(f"{option}: {error}") from error


def _name(text: str) -> str:
    if is_app_name(text):
        return text
    nearest = suggest_app_name(text)
    hint = f": try {nearest}" if nearest else ""
    raise SpecError(f"--name: an app name is 1–63 of a–z, 0–9, inner hyphens, beginning with a letter{hint}")
