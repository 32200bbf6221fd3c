"""YAML (and so JSON) as a tree whose every key and value knows its line and column.

Reads events, not objects: no tag can build anything, nothing recurses, and aliases are counted at their full size, so
that a small file can't grow. Scalars keep the text that was written; what it means is for the reader of the key.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from flux.specs.findings import Findings, Mark

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_NODES = 20_000


class Kind(StrEnum):
    """What a scalar is, by its tag or, when plain, by its look (YAML 1.2 core schema)."""

    TEXT = "text"
    INTEGER = "a whole number"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    NULL = "nothing"


@dataclass(frozen=True, slots=True)
class Scalar:
    text: str
    kind: Kind
    mark: Mark
    size: int = 1


@dataclass(frozen=True, slots=True)
class Sequence:
    items: "tuple[Node, ...]"
    mark: Mark
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    key: str
    mark: Mark
    """Where the key stands."""
    value: "Node"


@dataclass(frozen=True, slots=True)
class Mapping:
    entries: tuple[Entry, ...]
    mark: Mark
    size: int

    def find(self, key: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.key == key), None)


Node = Scalar | Sequence | Mapping

_LOOKS = (
    (Kind.NULL, re.compile(r"~|null|Null|NULL|", re.ASCII)),
    (Kind.BOOLEAN, re.compile(r"true|True|TRUE|false|False|FALSE", re.ASCII)),
    (Kind.INTEGER, re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)),
    (
        Kind.NUMBER,
        re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.nan", re.ASCII),
    ),
)
_TAGS = {
    "!": Kind.TEXT,
    "tag:yaml.org,2002:str": Kind.TEXT,
    "tag:yaml.org,2002:int": Kind.INTEGER,
    "tag:yaml.org,2002:float": Kind.NUMBER,
    "tag:yaml.org,2002:bool": Kind.BOOLEAN,
    "tag:yaml.org,2002:null": Kind.NULL,
}
_COLLECTION_TAGS = ("!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


def read(data: str | bytes, file: str, findings: Findings) -> Node | None:
    """The tree of one YAML document, or None when the text can't be read; why is in the findings."""
    try:
        text = _decode(data, file)
        return _Builder(file, findings).build(_events(text, file))
    except _Unreadable as error:
        findings.refuse(error.mark, "", error.message)
        return None


class _Unreadable(Exception):
    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message


def _decode(data: str | bytes, file: str) -> str:
    size = len(data)
    if size > MAX_BYTES:
        raise _Unreadable(
            Mark(file, 1, 1), f"the file has {size} bytes; at most {MAX_BYTES} are read: is it the right file?"
        )
    text = _decode_bytes(data, file) if isinstance(data, bytes) else data
    if text.lstrip().startswith(("{", "[")):
        # JSON may be indented with tabs, which YAML refuses; inside JSON strings a tab is always escaped.
        return text.replace("\t", " ")
    return text


def _decode_bytes(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        mark = Mark(file, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise _Unreadable(mark, "this byte is not UTF-8: save the file as UTF-8 text") from error


def _events(text: str, file: str) -> Iterator[Event]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file, 1, 1)
        raise _Unreadable(place, _sentence(error)) from error
    except YAMLError as error:
        raise _Unreadable(Mark(file, 1, 1), f"not readable as YAML: {str(error).splitlines()[0]}") from error
    except (ValueError, ArithmeticError, LookupError, AttributeError) as error:
        # The scanner trips over some escapes and directives with whatever error its own code met.
        raise _Unreadable(Mark(file, 1, 1), "not readable as YAML: it contains an impossible escape") from error


def _sentence(error: MarkedYAMLError) -> str:
    problem = str(error.problem or error.context or "syntax error")
    if "'\\t'" in problem:
        return "a tab is used for indentation: YAML allows only spaces, replace it by two spaces"
    if "mapping values are not allowed here" in problem:
        return "unexpected colon: quote the text if the colon belongs to it, or check the indentation"
    context = f" {error.context}" if error.context and error.context != problem else ""
    return f"not readable as YAML{context}: {problem}"


@dataclass(slots=True)
class _Frame:
    """A collection that is being read."""

    mark: Mark
    anchor: str | None
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    merged: list[Entry] = field(default_factory=list)
    key: tuple[str, Mark, bool] | None = None
    """The key that waits for its value, and whether it is a merge."""
    size: int = 1


class _Builder:
    def __init__(self, file: str, findings: Findings) -> None:
        self._file = file
        self._findings = findings
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Node | None] = {}
        self._root: Node | None = None
        self._documents = 0
        self._nodes = 0

    def build(self, events: Iterator[Event]) -> Node | None:
        for event in events:
            mark = Mark(self._file, event.start_mark.line + 1, event.start_mark.column + 1)
            match event:
                case DocumentStartEvent():
                    self._documents += 1
                    if self._documents > 1:
                        raise _Unreadable(mark, "a second document begins here: keep one document in a file")
                case MappingStartEvent() | SequenceStartEvent():
                    self._open(event, mark)
                case MappingEndEvent() | SequenceEndEvent():
                    self._close()
                case ScalarEvent():
                    self._scalar(event, mark)
                case AliasEvent():
                    self._alias(event.anchor, mark)
        return self._root

    def _open(self, event: MappingStartEvent | SequenceStartEvent, mark: Mark) -> None:
        tag = _tag(event)
        if tag is not None and tag not in _COLLECTION_TAGS:
            raise _Unreadable(mark, f"the tag {tag[:60]} is not supported: remove it")
        if len(self._frames) >= MAX_DEPTH:
            raise _Unreadable(mark, f"nested more than {MAX_DEPTH} levels deep")
        if self._frames and self._frames[-1].is_mapping and self._frames[-1].key is None:
            raise _Unreadable(mark, "a key must be a text, not a list or a mapping")
        if event.anchor:
            self._anchors[event.anchor] = None
        self._frames.append(_Frame(mark, event.anchor, isinstance(event, MappingStartEvent)))

    def _close(self) -> None:
        frame = self._frames.pop()
        node: Node
        if frame.is_mapping:
            entries = dict(frame.entries)
            for entry in frame.merged:
                entries.setdefault(entry.key, entry)
            node = Mapping(tuple(entries.values()), frame.mark, frame.size)
        else:
            node = Sequence(tuple(frame.items), frame.mark, frame.size)
        self._add(node, frame.anchor)

    def _scalar(self, event: ScalarEvent, mark: Mark) -> None:
        text = _joined_surrogates(event.value, mark)
        parent = self._frames[-1] if self._frames else None
        if parent is not None and parent.is_mapping and parent.key is None:
            parent.key = (text, mark, text == "<<" and event.style is None)
            if event.anchor:
                self._anchors[event.anchor] = Scalar(text, Kind.TEXT, mark)
            return
        tag = _tag(event)
        if tag is not None and tag not in _TAGS:
            raise _Unreadable(mark, f"the tag {tag[:60]} is not supported: remove it")
        if tag is not None:
            kind = _TAGS[tag]
        elif event.style is not None:
            kind = Kind.TEXT
        else:
            kind = next((kind for kind, look in _LOOKS if look.fullmatch(text)), Kind.TEXT)
        self._add(Scalar(text, kind, mark), event.anchor)

    def _alias(self, anchor: str, mark: Mark) -> None:
        target = self._anchors.get(anchor)
        if target is None:
            inside = anchor in self._anchors
            reason = "refers to a value that contains it" if inside else "refers to an anchor that is not defined above"
            raise _Unreadable(mark, f"*{anchor[:60]} {reason}")
        parent = self._frames[-1]
        if parent.is_mapping and parent.key is None:
            if not isinstance(target, Scalar):
                raise _Unreadable(mark, "a key must be a text, not a list or a mapping")
            parent.key = (target.text, mark, False)
            return
        self._add(target, None, placed=mark)

    def _add(self, node: Node, anchor: str | None, placed: Mark | None = None) -> None:
        self._nodes += node.size if placed else 1
        if self._nodes > MAX_NODES:
            raise _Unreadable(
                placed or node.mark, f"the file grows to more than {MAX_NODES} values: aliases repeat too much of it"
            )
        if anchor:
            self._anchors[anchor] = node
        if not self._frames:
            self._root = node
            return
        frame = self._frames[-1]
        frame.size += node.size
        if not frame.is_mapping:
            frame.items.append(node)
        elif frame.key is not None:
            key, mark, is_merge = frame.key
            frame.key = None
            if is_merge:
                self._merge(frame, node, mark)
            elif key in frame.entries:
                first = frame.entries[key].mark.line
                self._findings.refuse(mark, key, f"written twice, first in line {first}: remove one of them")
            else:
                frame.entries[key] = Entry(key, mark, node)

    def _merge(self, frame: _Frame, node: Node, mark: Mark) -> None:
        sources = node.items if isinstance(node, Sequence) else (node,)
        for source in sources:
            if not isinstance(source, Mapping):
                raise _Unreadable(mark, "<< merges mappings: give it an alias of a mapping, or a list of such aliases")
            frame.merged.extend(source.entries)


def _tag(event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> str | None:
    return None if event.tag is None else str(event.tag)


def _joined_surrogates(text: str, mark: Mark) -> str:
    """JSON writes characters beyond 16 bits as two escapes, which YAML reads as two half characters."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise _Unreadable(mark, "contains half of a character (a lone \\ud800–\\udfff escape)") from error
