"""The dashboard of `flux app top`, drawn with rich. Pure: an overview in, something to print out."""

import time
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flux.cli import format as show
from flux.cli.overview import AppOverview, Overview
from flux.cli.story import Told
from flux.cli.usage import Instance
from flux.cli.verdicts import place
from flux.cli.words import status_word

_COLOURS = {
    "healthy": "green", "running": "green", "active": "green", "starting": "yellow", "assigned": "yellow",
    "suspect": "yellow", "paused": "yellow", "pending": "yellow", "unhealthy": "red", "unknown": "red",
    "exited": "red", "depleted": "red", "closed": "red",
}  # fmt: skip
_FIXED_LINES = 9
"""Of a full screen: titles, headings, blanks."""
_MOST_EVENTS = 8
_TROUBLED = ("unhealthy", "unknown", "exited", "pending", "starting")


def draw(overview: Overview, height: int | None) -> RenderableType:
    """Fitted into so many lines: trouble comes first, and what has no room is counted. None prints everything."""
    events = overview.events[:_MOST_EVENTS]
    rows = [row for item in overview.apps for row in _instances(item, overview)]
    all_rows = len(rows)
    rows.sort(key=lambda row: _TROUBLED.index(row[0]) if row[0] in _TROUBLED else len(_TROUBLED))
    apps = list(overview.apps)
    if height is not None:
        room = max(4, height - _FIXED_LINES - len(events))
        apps = apps[: max(2, room // 2)]
        rows = rows[: max(2, room - len(apps))]
    hidden = (len(overview.apps) - len(apps), all_rows - len(rows))
    parts: list[RenderableType] = [_title(overview), Text(), _app_table(apps, overview)]
    parts += [Text(), _instance_table(rows)]
    if any(hidden):
        more = f"and {show.count(hidden[0], 'more app')}, {show.count(hidden[1], 'more instance')}"
        parts.append(Text(more, style="dim"))
    if events:
        parts += [Text(), *(_event(name, told) for name, told in events)]
    return Group(*parts)


def _title(overview: Overview) -> Text:
    rate = sum(item.balance.rate for item in overview.apps if item.balance is not None)
    running = sum(len(item.state.running) for item in overview.apps)
    return Text(
        f"{show.count(len(overview.apps), 'app')}, {show.count(running, 'instance')} running, {show.per_hour(rate)}"
        f"   block {overview.height}   {time.strftime('%H:%M:%S')}",
        style="bold",
    )


def _app_table(apps: Sequence[AppOverview], overview: Overview) -> RenderableType:
    if not apps:
        return Text("No apps. Deploy one with `flux deploy compose.yaml`.")
    table = _table("APP", "STATUS", ">RUNNING", ">CORES", ">MEMORY", ">FLUX/h", ">SPENT", ">BALANCE", ">LASTS")
    for item in apps:
        cores = [instance.cores for instance in item.instances if instance.cores is not None]
        lasts = item.lasts(overview.now)
        short = lasts is not None and lasts < show.DAY
        table.add_row(
            _text(item.app.name),
            _coloured(status_word("app", item.app.status)),
            Text(
                f"{len(item.state.running)}/{item.app.instances}",
                style="" if len(item.state.running) >= item.app.instances else "yellow",
            ),
            _text(f"{sum(cores):.2f}" if cores else "–"),
            _text(show.size(sum(instance.memory for instance in item.instances))),
            _text("–" if item.balance is None else show.number(item.balance.rate * show.HOUR)),
            _text("–" if item.balance is None else show.number(item.balance.spent)),
            _text("–" if item.balance is None else show.number(item.balance.balance)),
            Text("–" if lasts is None else show.duration(lasts), style="red" if short else ""),
        )
    return table


Row = tuple[str, tuple[Text, ...]]


def _instances(item: AppOverview, overview: Overview) -> list[Row]:
    rows = [_running(item, instance, overview) for instance in item.instances]
    for pending in item.state.pending:
        cells = (_text(f"{item.app.name}.{pending.ordinal}"), _text("–"), _text("–"), _coloured("pending"))
        waits = f"waits for a node since {show.duration(overview.now - pending.since)}"
        rows.append(("pending", (*cells, _text("–"), _text("–"), _text("–"), _text(waits))))
    return rows


def _running(item: AppOverview, instance: Instance, overview: Overview) -> Row:
    node = overview.nodes.get(instance.lease.node)
    cells = (
        _text(f"{item.app.name}.{instance.lease.ordinal}"),
        _text(str(instance.lease.node)),
        _text("?" if node is None else place(node)),
        _coloured(status_word("lease", instance.lease.state)),
        _coloured(instance.health),
        _text("–" if instance.cores is None else f"{instance.cores:.2f}"),
        _text(show.size(instance.memory) if instance.components else "–"),
        _text(instance.error or instance.waiting_for),
    )
    return instance.health, cells


def _instance_table(rows: Sequence[Row]) -> RenderableType:
    if not rows:
        return Text("No instances.")
    table = _table("INSTANCE", ">NODE", "PLACE", "STATE", "HEALTH", ">CORES", ">MEMORY", "NOTE")
    for _, cells in rows:
        table.add_row(*cells)
    return table


def _event(name: str, told: Told) -> Text:
    happened, ordinal = told.happened, told.ordinal
    moment = time.strftime("%H:%M:%S", time.localtime(happened.timestamp))
    about = name if ordinal is None else f"{name}.{ordinal}"
    line = Text(f"{moment} ", style="dim")
    line.append(f"{about}  ", style="bold")
    line.append(_plain(told.sentence), style="default")
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim")
    for title in titles:
        right = title.startswith(">")
        table.add_column(title.lstrip(">"), justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    return table


def _coloured(word: str) -> Text:
    return Text(_plain(word), style=_COLOURS.get(word, ""))


def _text(text: str) -> Text:
    return Text(_plain(text))


def _plain(text: str) -> str:
    """What nodes say is shown without characters that a terminal would obey."""
    return "".join(character if character.isprintable() else "�" for character in text)
