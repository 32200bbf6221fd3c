"""`${VAR}` and its forms, as Compose substitutes them in values (never in keys).

Forms: $VAR, ${VAR}, ${VAR:-default}, ${VAR-default}, ${VAR:?message}, ${VAR?message}, ${VAR:+other}, ${VAR+other}; $$
is a dollar sign. The words after an operator may contain further forms. (Compose Specification, 12-interpolation.)
"""

import re
from collections.abc import Callable, Mapping

from flux.specs.findings import Findings
from flux.specs.source import Entry, Kind, Node, Scalar, Sequence
from flux.specs.source import Mapping as MappingNode

MAX_NESTING = 8
MAX_LENGTH = 64 * 1024

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_OPERATOR = re.compile(r":?[-?+]")


class InterpolationError(ValueError):
    """A form is malformed or a required variable is missing; the message contains no value."""


def interpolate(text: str, variables: Mapping[str, str], missing: Callable[[str], None]) -> str:
    """The text with its variables put in. `missing` hears of each variable that is not set and has no default."""
    return _Text(text, variables, missing).read(depth=0, nested=False)


def interpolate_tree(node: Node, variables: Mapping[str, str], findings: Findings, key: str = "") -> Node:
    """The tree with variables put into all its values, those of extension keys (x-…) excepted."""
    match node:
        case Scalar():
            return _interpolate_scalar(node, variables, findings, key)
        case Sequence():
            items = (interpolate_tree(item, variables, findings, f"{key}[{i}]") for i, item in enumerate(node.items))
            return Sequence(tuple(items), node.mark, node.size)
        case MappingNode():
            return MappingNode(
                tuple(_interpolate_entry(entry, variables, findings, key) for entry in node.entries),
                node.mark,
                node.size,
            )


def _interpolate_entry(entry: Entry, variables: Mapping[str, str], findings: Findings, parent: str) -> Entry:
    if entry.key.startswith("x-") and not entry.key.startswith("x-flux"):
        return entry
    key = f"{parent}.{entry.key}" if parent else entry.key
    return Entry(entry.key, entry.mark, interpolate_tree(entry.value, variables, findings, key))


def _interpolate_scalar(node: Scalar, variables: Mapping[str, str], findings: Findings, key: str) -> Scalar:
    if "$" not in node.text:
        return node

    def missing(name: str) -> None:
        findings.warn(
            node.mark, key, f"the variable {name} is not set, so it is empty: set it in the environment or in .env"
        )

    try:
        return Scalar(interpolate(node.text, variables, missing), Kind.TEXT, node.mark)
    except InterpolationError as error:
        findings.refuse(node.mark, key, str(error))
        return Scalar("", Kind.TEXT, node.mark)


class _Text:
    """A text with a reading position."""

    def __init__(self, text: str, variables: Mapping[str, str], missing: Callable[[str], None]) -> None:
        self._text = text
        self._at = 0
        self._variables = variables
        self._missing = missing

    def read(self, *, depth: int, nested: bool) -> str:
        """Up to the end of the text, or when nested up to the closing brace, which is consumed."""
        if depth > MAX_NESTING:
            raise InterpolationError(f"variables are nested more than {MAX_NESTING} deep")
        parts: list[str] = []
        length = 0
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            if character == "}" and nested:
                return "".join(parts)
            part = self._substitute(depth) if character == "$" else character
            parts.append(part)
            length += len(part)
            if length > MAX_LENGTH:
                raise InterpolationError(f"the value grows to more than {MAX_LENGTH} characters")
        if nested:
            raise InterpolationError("a ${ is never closed: add the missing }")
        return "".join(parts)

    def _substitute(self, depth: int) -> str:
        if self._text.startswith("$", self._at):
            self._at += 1
            return "$"
        braced = self._text.startswith("{", self._at)
        self._at += braced
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise InterpolationError("a $ is not followed by the name of a variable: write $$ for a dollar sign")
        self._at = match.end()
        return self._braced(match[0], depth) if braced else self._plain(match[0])

    def _plain(self, name: str) -> str:
        value = self._variables.get(name)
        if value is None:
            self._missing(name)
            return ""
        return value

    def _braced(self, name: str, depth: int) -> str:
        if self._text.startswith("}", self._at):
            self._at += 1
            return self._plain(name)
        match = _OPERATOR.match(self._text, self._at)
        if match is None:
            raise InterpolationError(f"${{{name} is followed by neither }} nor one of :- - :? ? :+ +")
        self._at = match.end()
        value = self._variables.get(name)
        present = value is not None and (value != "" or match[0][0] != ":")
        word = self._word(depth, used=present == (match[0][-1] == "+"))
        if match[0][-1] == "-":
            return value if present and value is not None else word
        if match[0][-1] == "+":
            return word if present else ""
        if not present or value is None:
            raise InterpolationError(f"the variable {name} is required: {word or 'set it in the environment or .env'}")
        return value

    def _word(self, depth: int, *, used: bool) -> str:
        """What follows the operator. Variables of a word that is not used may be missing."""
        missing = self._missing
        if not used:
            self._missing = _ignore
        word = self.read(depth=depth + 1, nested=True)
        self._missing = missing
        return word


def _ignore(name: str) -> None:
    """The variable is not needed, so it is no loss that it is not set."""
