"""All printing: a table or facts for people, one JSON document (or JSON lines) for scripts. Notes go to stderr.

Output is plain text where it is piped, and coloured on a terminal. `rich` is imported only to draw.
"""

import json as json_library
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console

Justify = Literal["left", "right"]
NARROWEST = 60


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    justify: Justify = "left"
    wrap: bool = False
    """Cells may take several lines; others never do."""


def right(title: str) -> Column:
    """A column of numbers."""
    return Column(title, "right")


class Output:
    """Where a command's results go."""

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self._console: Console | None = None

    def document(self, value: object) -> None:
        """The one JSON document of a command; nothing for people."""
        if self.json:
            sys.stdout.write(json_library.dumps(value, indent=2, ensure_ascii=False) + "\n")
            sys.stdout.flush()

    def item(self, value: object, text: str) -> None:
        """One item of a stream: a JSON line, or a line of text."""
        line = json_library.dumps(value, ensure_ascii=False) if self.json else _plain(text)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def line(self, text: str = "") -> None:
        """A line for people; nothing in JSON mode."""
        if not self.json:
            self._draw(text)

    def note(self, text: str) -> None:
        """Progress and remarks for people, on stderr; nothing in JSON mode."""
        if not self.json:
            sys.stderr.write(_plain(text) + "\n")
            sys.stderr.flush()

    def table(self, columns: Sequence[Column | str], rows: Sequence[Sequence[str]], empty: str = "") -> None:
        """A table for people; `empty` is said instead of a table without rows."""
        if self.json:
            return
        if not rows:
            self._draw(empty)
            return
        from rich.table import Table

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in columns:
            made = Column(column) if isinstance(column, str) else column
            table.add_column(made.title, justify=made.justify, no_wrap=not made.wrap)
        for row in rows:
            table.add_row(*(_escaped(cell) for cell in row))
        self._draw(table)

    def facts(self, facts: Sequence[tuple[str, str]], title: str = "") -> None:
        """Names and values, one a line."""
        if self.json:
            return
        from rich.table import Table

        if title:
            self._draw(title, style="bold")
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        for name, value in facts:
            table.add_row(name, _escaped(value))
        self._draw(table)

    def failure(self, document: dict[str, object], text: str) -> None:
        """An error: on stderr for people, as the JSON document on stdout for scripts."""
        if self.json:
            self.document({"error": document})
        else:
            sys.stderr.write(_plain(text) + "\n")
            sys.stderr.flush()

    def _draw(self, thing: Any, style: str = "") -> None:
        if isinstance(thing, str) and not style:
            sys.stdout.write(_plain(thing) + "\n")
        else:
            console = self._open_console()
            with console.capture() as drawn:
                console.print(_escaped(thing) if isinstance(thing, str) else thing, style=style or None)
            # Tables pad their last column; nobody needs blanks at line ends.
            sys.stdout.write("\n".join(line.rstrip() for line in drawn.get().splitlines()) + "\n")
        sys.stdout.flush()

    def _open_console(self) -> "Console":
        if self._console is None or self._console.file is not sys.stdout:
            from rich.console import Console

            is_terminal = sys.stdout.isatty()
            # What is piped is read by programs: no wrapping at a width nobody sees.
            width = None if is_terminal else 4096
            self._console = Console(file=sys.stdout, width=width, highlight=False, emoji=False)
        return self._console


def _escaped(text: str) -> str:
    """Text from elsewhere is shown as it is, without markup."""
    return _plain(text).replace("[", "\\[")


def _plain(text: str) -> str:
    """What nodes and endpoints say is shown without characters that a terminal would obey."""
    return "".join(character if character.isprintable() or character in "\n\t" else "�" for character in text)
