"""One component of a Flux spec: its image, ports, variables, and size."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal, InvalidOperation

from flux.specs.field import Field
from flux.specs.image_reference import ImageReferenceError, parse_image_reference
from flux.specs.names import is_label, suggest_label
from flux.specs.quantities import QuantityError

MAX_AMOUNT = 2**31 - 1
STORED_LISTS = ("F_S_ENV=", "F_S_CMD=")


@dataclass(slots=True)
class FluxComponent:
    name: str
    written_name: str
    """As the spec writes it, which other components may refer to."""
    place: Field
    image: str = ""
    cpu_milli: int = 0
    memory_mib: int = 0
    disk_mib: int = 0
    """For the component's data."""
    container_ports: list[int] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    data: Field | None = None


def read_component(place: Field, known: dict[str, Field], *, name_if_single: str = "") -> FluxComponent:
    """The component; mistakes are findings."""
    name, written = (name_if_single, name_if_single) if name_if_single else _name(place, known)
    component = FluxComponent(name, written, place)
    component.image = _image(place, known)
    component.cpu_milli = _required(place, known, "cpu", _cores)
    component.memory_mib = _required(place, known, "ram", _megabytes)
    component.disk_mib = _required(place, known, "hdd", _gigabytes)
    component.container_ports = _ports(known)
    component.environment = _environment(known.get("environmentParameters") or known.get("enviromentParameters"))
    component.command = _commands(known.get("commands"))
    component.data = known.get("containerData")
    _report(known)
    return component


def _name(place: Field, known: dict[str, Field]) -> tuple[str, str]:
    text = known["name"].text(what="a name") if "name" in known else None
    if "name" not in known:
        place.refuse("the component has no name")
    if text is None:
        return "component", ""
    name = text.lower()
    if not is_label(name):
        known["name"].refuse(f"a component name is letters and digits: write {suggest_label(text) or 'app'}")
    return name, text


def _image(place: Field, known: dict[str, Field]) -> str:
    text = known["repotag"].text(what="an image such as nginx:1.27") if "repotag" in known else None
    if "repotag" not in known:
        place.refuse("the image is missing: add repotag")
    if text is None:
        return ""
    try:
        image = str(parse_image_reference(text))
    except ImageReferenceError as error:
        known["repotag"].refuse(str(error))
        return ""
    known["repotag"].honour("pinned to its digest when deployed, so that all instances run the same bytes")
    return image


def _required(place: Field, known: dict[str, Field], name: str, parse: Callable[[str], int]) -> int:
    if name not in known:
        place.refuse(f"{name} is missing")
        return 1
    amount = known[name].quantity(parse, what="a number")
    if amount == 0:
        known[name].refuse(f"{name} must be more than 0")
    return amount or 1


def _cores(text: str) -> int:
    return _scaled(text, 1000)


def _megabytes(text: str) -> int:
    return _scaled(text, 1)


def _gigabytes(text: str) -> int:
    return _scaled(text, 1024)


def _scaled(text: str, scale: int) -> int:
    """A decimal number times the scale, rounded up."""
    try:
        number = Decimal(text) * scale if len(text) <= 20 else Decimal(-1)
    except InvalidOperation:
        number = Decimal(-1)
    if not 0 <= number <= MAX_AMOUNT:
        raise QuantityError(f"expected a number, got {text[:40]!r}")
    return int(number.to_integral_value(ROUND_CEILING))


def _ports(known: dict[str, Field]) -> list[int]:
    containers = known.get("containerPorts") or known.get("containerPort")
    published = known.get("ports") or known.get("port")
    found: list[int] = []
    for item in containers.items_or_one() if containers is not None else ():
        port = item.integer(minimum=1, maximum=65535)
        if port is not None and port not in found:
            found.append(port)
    if containers is not None and found:
        containers.honour(f"container ports {', '.join(map(str, found))} are offered to the outside")
    if published is not None and published.items_or_one():
        published.warn("these ports are not used: each node picks free ones, and visitors come through the app's URL")
    return found


def _environment(field: Field | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in field.items() if field is not None else ():
        text = item.text()
        if text is None:
            continue
        name, sign, value = text.partition("=")
        if text.startswith(STORED_LISTS):
            item.refuse("lists kept in Flux Storage are not fetched: write the variables here")
        elif not sign or not name or name != name.strip():
            item.refuse("expected NAME=value")
        else:
            found[name] = value
    if field is not None and found:
        field.honour("private: encrypted for the nodes that run it, never readable on chain")
    return found


def _commands(field: Field | None) -> list[str]:
    found: list[str] = []
    for item in field.items() if field is not None else ():
        text = item.text()
        if text is not None and text.startswith(STORED_LISTS):
            item.refuse("lists kept in Flux Storage are not fetched: write the command here")
        elif text is not None:
            found.append(text)
    if field is not None and found:
        field.honour("private: encrypted for the nodes that run it, never readable on chain")
    return found


def _report(known: dict[str, Field]) -> None:
    for name in ("repoauth", "secrets"):
        if name in known and not known[name].is_off:
            known[name].refuse(
                f"{name} is encrypted for the Flux network: for a private image, log in to its registry "
                "(docker login), and write secrets as environmentParameters, which are encrypted here"
            )
    if "tiered" in known and not known["tiered"].is_off:
        known["tiered"].warn("sizes by tier are not used: cpu, ram and hdd hold on every node")
    if "domains" in known and any(not item.is_off for item in known["domains"].items_or_one()):
        known["domains"].warn("custom domains are not served: use the app's URL")
