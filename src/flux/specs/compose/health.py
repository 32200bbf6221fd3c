"""`x-flux.health`: checks that need no program inside the container, which Compose has no word for.

    x-flux:
      health:
        web: {http: /healthz, port: 8080}
        database: {tcp: 5432, interval: 5s, retries: 5}

The node asks the port that it publishes, so the port must be among those that the component offers.
"""

from collections.abc import Mapping

from flux.contracts.apps.types import Health, Http
from flux.specs.compose.draft import Draft
from flux.specs.compose.process import read_rhythm
from flux.specs.field import Field
from flux.specs.names import find_nearest

KEYS = ("http", "tcp", "port", "interval", "timeout", "retries", "start_period")
DEFAULT_INTERVAL_MS = 10_000
DEFAULT_TIMEOUT_MS = 5_000
"""A question to a port is cheap: more often than Compose's default for commands."""
MAX_PATH = 255


def apply_health(block: Field | None, drafts: Mapping[str, Draft], http: Http | None) -> None:
    """Give the drafts their checks. `http` is what the app's URL leads to: its port is taken where none is given."""
    for entry in block.fields_of_any_name() if block is not None else ():
        draft = drafts.get(entry.name)
        if draft is None:
            nearest = find_nearest(entry.name, drafts)
            entry.refuse(f"there is no service {entry.name[:60]!r}" + (f": did you mean {nearest}?" if nearest else ""))
            continue
        _read_check(entry, draft, http)


def _read_check(entry: Field, draft: Draft, http: Http | None) -> None:
    known = entry.known_fields(KEYS)
    if ("http" in known) == ("tcp" in known):
        entry.refuse("a check is either http: /path or tcp: PORT")
        return
    kind = "http" if "http" in known else "tcp"
    path = _read_path(known["http"]) if kind == "http" else ""
    port = _read_port(entry, known, draft, http, kind)
    if path is None or port is None:
        return
    if draft.health is not None:
        entry.warn("it takes the place of the service's healthcheck")
    draft.health_command = None
    rhythm = read_rhythm(known, DEFAULT_INTERVAL_MS, DEFAULT_TIMEOUT_MS)
    draft.health = Health(kind, port, path, *rhythm)
    entry.honour(f"the node asks {kind} port {port}{path} every {rhythm[0] / 1000:g} s; it is public")


def _read_path(field: Field) -> str | None:
    path = field.text(what="a path such as /healthz")
    if path is None:
        return None
    if not path.startswith("/") or len(path) > MAX_PATH or not path.isascii() or not path.isprintable() or " " in path:
        field.refuse(f"the path must begin with / and have at most {MAX_PATH} printable ASCII characters")
        return None
    return path


def _read_port(entry: Field, known: Mapping[str, Field], draft: Draft, http: Http | None, kind: str) -> int | None:
    offered = [port.container for port in draft.ports if port.protocol == "tcp" and not port.is_loopback]
    named = known.get("tcp" if kind == "tcp" else "port")
    if kind == "tcp" and "port" in known:
        known["port"].refuse("a tcp check names its port once: tcp: PORT")
        return None
    if named is not None:
        number = named.integer(minimum=1, maximum=65_535)
    elif http is not None and http.component == draft.name:
        number = http.port
    elif len(offered) == 1:
        number = offered[0]
    else:
        entry.refuse("the port is missing: add port: 8080")
        return None
    if number is not None and number not in offered:
        (named or entry).refuse(f"port {number} is not offered by {draft.name}, so no node can ask it: add it to ports")
        return None
    return number
