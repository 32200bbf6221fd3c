"""The `x-flux` block: what a Compose file has no word for."""

import re
from dataclasses import dataclass, field

from flux.contracts.apps.types import MAX_STANDBY, Update
from flux.primitives import geo
from flux.primitives.types import Wei
from flux.specs.compose.updates import read_update
from flux.specs.field import Field
from flux.specs.names import is_app_name, suggest_app_name
from flux.specs.placement import (
    ANY_PRICE,
    ARCHITECTURES,
    MAX_INSTANCES,
    SPREADS,
    TIERS,
    MaxPrice,
    check_geo_rules,
    parse_amount,
    parse_max_price,
    parse_tier,
)

_GPU_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}", re.ASCII)

KEYS = (
    "name",
    "instances",
    "geo",
    "max_price",
    "deposit",
    "tier",
    "spread",
    "http_port",
    "sticky",
    "volumes",
    "health",
    "backup",
    "architectures",
    "gpu",
    "static_ip",
    "update",
    "at_most_one",
    "standby",
)


@dataclass(slots=True)
class Extension:
    """What the block says; None or empty where it says nothing."""

    name: str | None = None
    instances: int | None = None
    geo: tuple[str, ...] = ()
    max_price: MaxPrice = ANY_PRICE
    deposit: Wei | None = None
    min_tier: int = 1
    spread: str = "operator"
    http_port: Field | None = None
    sticky: bool = True
    volumes: dict[str, Field] = field(default_factory=dict)
    health: Field | None = None
    backup: Field | None = None
    architectures: tuple[str, ...] = ()
    gpu_model: str = ""
    gpu_count: int = 0
    static_ip: bool = False
    update: Update | None = None
    at_most_one: bool = False
    standby: int = 0


def read_extension(block: Field) -> Extension:
    """The block; mistakes in it are findings, and count as if the key were absent."""
    known = {key: value for key, value in block.known_fields(KEYS).items() if not value.is_null}
    extension = Extension()
    for name, value in known.items():
        _read_key(name, value, extension)
    return extension


def _read_key(name: str, value: Field, extension: Extension) -> None:
    match name:
        case "name":
            extension.name = read_app_name(value)
        case "instances":
            extension.instances = value.integer(minimum=1, maximum=MAX_INSTANCES)
            value.honour(f"{extension.instances} instances, each with all components")
        case "geo":
            extension.geo = read_geo(value)
        case "max_price":
            what = "an amount of FLUX such as 0.05, or of dollars such as $0.01"
            extension.max_price = value.quantity(parse_max_price, what=what) or ANY_PRICE
            unit = "dollars" if extension.max_price.nanousd else "FLUX"
            value.honour(f"the most that one instance may cost in an hour; the bill is in {unit}")
        case "deposit":
            extension.deposit = value.quantity(parse_amount, what="an amount of FLUX such as 10")
            value.honour("paid in when the app is deployed; what is not used comes back")
        case "tier":
            tier = value.choice(TIERS)
            extension.min_tier = parse_tier(tier) if tier else 1
            value.honour("only nodes of this tier or a higher one are considered")
        case "spread":
            extension.spread = value.choice(SPREADS) or "operator"
            value.honour("instances avoid sharing this")
        case "http_port":
            extension.http_port = value
        case "sticky":
            extension.sticky = value.boolean() is not False
            value.honour("visitors stay on one instance" if extension.sticky else "each request may reach any instance")
        case "volumes":
            extension.volumes = {entry.name: entry for entry in value.fields_of_any_name()}
        case "backup":
            extension.backup = value
        case "health":
            extension.health = value
        case "architectures":
            extension.architectures = tuple(
                sorted({text for item in value.items_or_one() if (text := item.choice(ARCHITECTURES))})
            )
            value.honour("only nodes of this architecture are considered")
        case "gpu":
            _read_gpu(value, extension)
        case "static_ip":
            extension.static_ip = value.boolean() is True
            value.honour("only nodes with a fixed address" if extension.static_ip else "any node")
        case "update":
            extension.update = read_update(value)
        case "at_most_one":
            extension.at_most_one = value.boolean() is True
            once = "no instance ever runs twice at a time, so each change and each loss stops it for a while"
            value.honour(once if extension.at_most_one else "an instance may run twice for a moment while it moves")
        case "standby":
            extension.standby = value.integer(minimum=0, maximum=MAX_STANDBY) or 0
            value.honour(
                f"{extension.standby} more nodes hold the images ready, for a part of an instance's price each"
                if extension.standby
                else "no node holds the images ready"
            )


def read_app_name(field: Field) -> str | None:
    """A valid app name; anything else is refused with the nearest one."""
    text = field.text(what="a name")
    if text is None:
        return None
    if not is_app_name(text):
        nearest = suggest_app_name(text)
        field.refuse(
            "an app name is 1–63 of a–z, 0–9 and inner hyphens, beginning with a letter"
            + (f": write {nearest}" if nearest else "")
        )
        return None
    field.honour(f"the app is called {text}")
    return text


def read_geo(field: Field) -> tuple[str, ...]:
    """Rules as one text or a list of them."""
    rules: list[str] = []
    for item in field.items_or_one():
        text = item.text(what="a rule such as acEU_FR")
        if text is None:
            continue
        try:
            geo.parse(text)
        except geo.GeoError as error:
            item.refuse(str(error))
            continue
        rules.append(text)
    try:
        checked = check_geo_rules(rules)
    except geo.GeoError as error:
        field.refuse(str(error))
        return ()
    if checked:
        field.honour(f"where instances may run: {', '.join(checked)}")
    return checked


def _read_gpu(field: Field, extension: Extension) -> None:
    if field.is_mapping:
        known = field.known_fields(("model", "count"))
        extension.gpu_model = (known["model"].text() or "") if "model" in known else ""
        extension.gpu_count = (known["count"].integer(minimum=1, maximum=16) or 1) if "count" in known else 1
    elif field.scalar_text().isascii() and field.scalar_text().isdigit():
        extension.gpu_count = field.integer(minimum=1, maximum=16) or 0
    else:
        extension.gpu_model = field.text(what="a model or a number of GPUs") or ""
        extension.gpu_count = 1
    if extension.gpu_model and not _GPU_MODEL.fullmatch(extension.gpu_model):
        field.refuse("the model of a GPU is 1–64 of letters, digits, spaces and . _ / -")
    field.honour(f"{extension.gpu_count} GPU {extension.gpu_model}".rstrip())
