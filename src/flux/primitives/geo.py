"""Geolocation rules as Flux 2.0 writes them: which places an app may, or must not, run in.

Allowed: acEU, acEU_FR, acEU_FR_Brittany, acALL, acEU_ALL. Denied: a!cEU, a!cEU_CZ, a!cEU_CZ_Prague. Older specs write
aEU (a continent) and bFR (a country). (FluxOS `hwRequirements.js`, checkAppGeolocationRequirements.)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

CONTINENTS = ("AF", "AN", "AS", "EU", "NA", "OC", "SA")
MAX_RULE_LENGTH = 50
ANY = "ALL"

_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class GeoError(ValueError):
    """The text is not a geolocation rule."""


@dataclass(frozen=True, slots=True)
class GeoRule:
    """Places that are allowed or denied; an empty part stands for every place at that level."""

    denies: bool
    continent: str
    country: str
    region: str

    def matches(self, continent: str, country: str, region: str) -> bool:
        """Whether the place lies inside the rule. A place whose region is unknown is in no named region."""
        return (
            self.continent in ("", continent)
            and self.country in ("", country)
            and (self.region == "" or _folded(self.region) == _folded(region))
        )


def parse(rule: str) -> GeoRule:
    """The rule of its text. Continents and countries are upper case; a region may contain spaces and underscores."""
    if not isinstance(rule, str):
        raise GeoError(f"expected a geolocation rule such as acEU_FR, got {type(rule).__name__}")
    if len(rule) > MAX_RULE_LENGTH:
        raise GeoError(f"a geolocation rule has at most {MAX_RULE_LENGTH} characters, got {len(rule)}")
    if rule.startswith("a!c"):
        return _parse_place(rule, rule[3:], denies=True)
    if rule.startswith("ac"):
        return _parse_place(rule, rule[2:], denies=False)
    if rule.startswith("a"):
        _check_continent(rule, rule[1:])
        return GeoRule(denies=False, continent=rule[1:], country="", region="")
    if rule.startswith("b"):
        _check_country(rule, rule[1:])
        return GeoRule(denies=False, continent="", country=rule[1:], region="")
    raise GeoError(
        f"{rule!r} is not a geolocation rule: write acEU, acEU_FR or acEU_FR_Brittany to allow a place, "
        "a!cEU or a!cEU_CZ to deny one"
    )


def allows(rules: Sequence[GeoRule], continent: str, country: str, region: str) -> bool:
    """Whether an app with these rules may run there: no deny matches, and an allow does (or there is none)."""
    has_allow = False
    is_allowed = False
    for rule in rules:
        if rule.denies:
            if rule.matches(continent, country, region):
                return False
        else:
            has_allow = True
            is_allowed = is_allowed or rule.matches(continent, country, region)
    return is_allowed or not has_allow


def _parse_place(rule: str, place: str, *, denies: bool) -> GeoRule:
    continent, *narrower = place.split("_", 2)
    if continent == ANY:
        if narrower:
            raise GeoError(f"nothing may follow {ANY} in {rule!r}: write acALL alone, or name the continent")
        if denies:
            raise GeoError(f"{rule!r} denies every place on earth, so the app could never run: name a continent")
        return GeoRule(denies=False, continent="", country="", region="")
    _check_continent(rule, continent)
    country, region = [*narrower, "", ""][:2]
    if narrower and country == ANY:
        if len(narrower) > 1:
            raise GeoError(f"nothing may follow {ANY} in {rule!r}: name the country before its region")
        return GeoRule(denies, continent, country="", region="")
    if narrower:
        _check_country(rule, country)
    if len(narrower) > 1 and (not region.strip(" ") or _CONTROL.search(region)):
        raise GeoError(f"{rule!r} does not name a region after the country: write for example acEU_FR_Brittany")
    return GeoRule(denies, continent, country, region="" if region == ANY else region)


def _check_continent(rule: str, continent: str) -> None:
    if continent not in CONTINENTS:
        raise GeoError(f"{continent!r} in the rule {rule!r} is not a continent: use one of {', '.join(CONTINENTS)}")


def _check_country(rule: str, country: str) -> None:
    if not _COUNTRY.fullmatch(country):
        raise GeoError(f"{country!r} in the rule {rule!r} is not a country: use two upper-case letters such as FR")


def _folded(region: str) -> str:
    """Lower case of a–z only: what Unicode calls lower case differs between versions of Python."""
    return region.translate(_LOWER)


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
