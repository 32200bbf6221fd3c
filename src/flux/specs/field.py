"""A value of a spec together with its dotted key and place: the reader's view of the tree, which reports wrong shapes.

Each method returns None after having said what is wrong, so that readers go on and find the next mistake.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from flux.specs.findings import Findings, Mark
from flux.specs.names import unknown_key_sentence
from flux.specs.quantities import QuantityError
from flux.specs.source import Kind, Mapping, Node, Scalar, Sequence

Value = TypeVar("Value")

_TRUE = frozenset(("true", "yes", "on", "y", "1"))
_FALSE = frozenset(("false", "no", "off", "n", "0"))


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    """The last part of the key."""
    key: str
    """Dotted, from the root of the file."""
    mark: Mark
    """Where the key stands; for an item of a list, where the item stands."""
    node: Node
    findings: Findings

    def refuse(self, message: str) -> None:
        self.findings.refuse(self.mark, self.key, message)

    def warn(self, message: str) -> None:
        self.findings.warn(self.mark, self.key, message)

    def honour(self, message: str) -> None:
        self.findings.honour(self.mark, self.key, message)

    @property
    def is_null(self) -> bool:
        return isinstance(self.node, Scalar) and self.node.kind is Kind.NULL

    @property
    def is_scalar(self) -> bool:
        return isinstance(self.node, Scalar)

    @property
    def is_sequence(self) -> bool:
        return isinstance(self.node, Sequence)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, Mapping)

    @property
    def is_off(self) -> bool:
        """Whether the value is nothing, false, or an empty text, list or mapping: as good as absent."""
        match self.node:
            case Scalar(text=text, kind=kind):
                return kind is Kind.NULL or text.lower() in ("", "false")
            case Sequence(items=items):
                return not items
            case Mapping(entries=entries):
                return not entries

    def scalar_text(self) -> str:
        """The text of a scalar as written; empty for anything else (for comparisons: a wrong shape matches nothing)."""
        return self.node.text if isinstance(self.node, Scalar) else ""

    def text(self, *, what: str = "a text") -> str | None:
        """Any scalar but null, as it was written."""
        if isinstance(self.node, Scalar) and self.node.kind is not Kind.NULL:
            if "\0" in self.node.text:
                self.refuse("contains a NUL character: remove it")
                return None
            return self.node.text
        self.refuse(f"expected {what}, found {self._found()}")
        return None

    def boolean(self) -> bool | None:
        text = self.text(what="true or false")
        if text is None:
            return None
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        self.refuse(f"expected true or false, found {_shown(text)}")
        return None

    def integer(self, *, minimum: int = 0, maximum: int = 2**31 - 1) -> int | None:
        text = self.text(what="a whole number")
        if text is None:
            return None
        if not (text.isascii() and text.removeprefix("+").isdigit() and len(text) <= 18):
            self.refuse(f"expected a whole number from {minimum} to {maximum}, found {_shown(text)}")
            return None
        number = int(text)
        if not minimum <= number <= maximum:
            self.refuse(f"expected a whole number from {minimum} to {maximum}, found {number}")
            return None
        return number

    def quantity(self, parse: Callable[[str], Value], *, what: str) -> Value | None:
        """A size, a part of a processor, a duration: whatever `parse` makes of the text."""
        text = self.text(what=what)
        if text is None:
            return None
        try:
            return parse(text)
        except QuantityError as error:
            self.refuse(str(error))
            return None

    def choice(self, known: tuple[str, ...]) -> str | None:
        """One of the known words."""
        text = self.text(what=f"one of {', '.join(known)}")
        if text is None or text in known:
            return text
        self.refuse(f"{_shown(text)} is not one of {', '.join(known)}")
        return None

    def fields(self) -> "list[Field]":
        """The entries of a mapping, without extension keys (x-…); nothing when the value is null."""
        return [
            field
            for field in self.fields_of_any_name()
            if not field.name.startswith("x-") or field.name.startswith("x-flux")
        ]

    def fields_of_any_name(self) -> "list[Field]":
        """The entries of a mapping; nothing when the value is null."""
        if isinstance(self.node, Mapping):
            return [
                Field(entry.key, _joined(self.key, entry.key), entry.mark, entry.value, self.findings)
                for entry in self.node.entries
            ]
        if not self.is_null:
            self.refuse(f"expected a mapping (key: value), found {self._found()}")
        return []

    def known_fields(self, known: tuple[str, ...]) -> "dict[str, Field]":
        """The entries of a mapping by name; unknown keys are reported with the nearest known one."""
        found = {}
        for field in self.fields():
            if field.name in known:
                found[field.name] = field
            else:
                field.refuse(unknown_key_sentence(field.name, known))
        return found

    def items(self) -> "list[Field]":
        """The items of a list; nothing when the value is null."""
        if isinstance(self.node, Sequence):
            return [
                Field(self.name, f"{self.key}[{index}]", item.mark, item, self.findings)
                for index, item in enumerate(self.node.items)
            ]
        if not self.is_null:
            self.refuse(f"expected a list, found {self._found()}")
        return []

    def items_or_one(self) -> "list[Field]":
        """The items of a list, or a single scalar as a list of one."""
        return [self] if self.is_scalar and not self.is_null else self.items()

    def texts(self) -> list[str]:
        """The texts of a list, or of a single text."""
        return [text for item in self.items_or_one() if (text := item.text()) is not None]

    def _found(self) -> str:
        match self.node:
            case Scalar(kind=Kind.NULL):
                return "nothing"
            case Scalar(kind=kind):
                return str(kind) if kind is not Kind.TEXT else "a text"
            case Sequence():
                return "a list"
            case Mapping():
                return "a mapping"


def root_field(node: Node, file: str, findings: Findings) -> Field:
    """The whole file as a field."""
    return Field("", "", Mark(file, 1, 1), node, findings)


def _joined(parent: str, name: str) -> str:
    shown = name if len(name) <= 80 else f"{name[:80]}…"
    return f"{parent}.{shown}" if parent else shown


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 60 else f"{text[:60]!r}…"
