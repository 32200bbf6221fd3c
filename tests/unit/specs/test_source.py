"""Reading YAML and JSON with places: what is understood, and what hostile text gets instead of a traceback."""

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flux.specs.findings import Finding, Findings
from flux.specs.source import MAX_BYTES, Kind, Mapping, Node, Scalar, Sequence, read


def parse(text: str | bytes) -> Node:
    findings = Findings()
    node = read(text, "file", findings)
    assert findings.sorted() == ()
    assert node is not None
    return node


def refusal(text: str | bytes) -> Finding:
    findings = Findings()
    assert read(text, "file", findings) is None
    (found,) = findings.sorted()
    return found


def plain(node: Node) -> object:
    """The tree without its places."""
    match node:
        case Scalar(text=text):
            return text
        case Sequence(items=items):
            return [plain(item) for item in items]
        case Mapping(entries=entries):
            return {entry.key: plain(entry.value) for entry in entries}


def test_keys_and_values_know_their_line_and_column() -> None:
    node = parse("a: 1\nb:\n  - x\n  -  'y'\n")
    assert isinstance(node, Mapping)
    entry = node.find("b")
    assert entry is not None
    assert (entry.mark.line, entry.mark.column) == (2, 1)
    assert isinstance(entry.value, Sequence)
    assert (entry.value.items[1].mark.line, entry.value.items[1].mark.column) == (4, 6)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1", Kind.INTEGER),
        ("'1'", Kind.TEXT),
        ("0x1f", Kind.INTEGER),
        ("1.50", Kind.NUMBER),
        ("true", Kind.BOOLEAN),
        ("yes", Kind.TEXT),
        ("~", Kind.NULL),
        ("22:22", Kind.TEXT),
        ("!!str 1", Kind.TEXT),
        ("! 1", Kind.TEXT),
        ("!!int '1'", Kind.INTEGER),
    ],
)
def test_a_scalar_keeps_its_text_and_knows_what_it_looks_like(text: str, kind: Kind) -> None:
    node = parse(f"a: {text}")
    assert isinstance(node, Mapping)
    value = node.entries[0].value
    assert isinstance(value, Scalar)
    assert value.kind is kind


def test_merges_give_way_to_what_is_written_and_the_first_of_a_list_wins() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 3\n"
    assert plain(parse(text)) == {
        "x": {"a": "1", "b": "1"},
        "y": {"b": "2", "c": "2"},
        "z": {"a": "3", "b": "1", "c": "2"},
    }


def test_a_quoted_merge_sign_is_an_ordinary_key() -> None:
    assert plain(parse("'<<': {a: 1}")) == {"<<": {"a": "1"}}


def test_an_alias_may_be_a_key() -> None:
    assert plain(parse("a: &name web\n*name : 1\n")) == {"a": "web", "web": "1"}


def test_json_is_read_also_with_tabs_slashes_and_paired_escapes() -> None:
    text = '{\n\t"a": "x\\/y",\n\t"b": "\\ud83d\\ude00"\n}'
    assert plain(parse(text)) == {"a": "x/y", "b": "😀"}


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.text(max_size=12),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    )
)
def test_every_json_of_texts_comes_back(value: object) -> None:
    assert plain(parse(json.dumps({"root": value}))) == {"root": value}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\na: 2\n", 2, "written twice, first in line 1"),
        ("a:\n\tb: 1\n", 2, "tab"),
        ("a: b: c\n", 1, "unexpected colon"),
        ("a: [1, 2\n", 2, "not readable as YAML"),
        ("a: *missing\n", 1, "not defined above"),
        ("a: &a [*a]\n", 1, "contains it"),
        ("a: &a\n  b: *a\n", 2, "contains it"),
        ("? [1]\n: 2\n", 1, "a key must be a text"),
        ("? {a: 1}\n: 2\n", 1, "a key must be a text"),
        ("l: &l [1]\n*l : 2\n", 2, "a key must be a text"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "tag"),
        ("a: !secret x\n", 1, "tag"),
        ("a: !!binary aGk=\n", 1, "tag"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("<<: 5\n", 1, "merges mappings"),
        ("a: \x00\n", 1, "not readable"),
        ('a: "\\UFFFFFFFF"\n', 1, "impossible escape"),
        ('a: "\\ud800"\n', 1, "half of a character"),
        ("%YAML 9.0\n---\na: 1\n", 1, "not readable"),
        ("a: 'unclosed\n", 2, "not readable"),
    ],
)
def test_text_that_is_no_yaml_is_one_finding_with_its_line(text: str, line: int, words: str) -> None:
    findings = Findings()
    read(text, "file", findings)
    (found,) = findings.sorted()
    assert words in found.message
    assert found.line == line


def test_a_byte_that_is_not_utf_8_is_named_by_line_and_column() -> None:
    found = refusal(b"a: 1\nb: caf\xe9\n")
    assert (found.line, found.column) == (2, 7)
    assert "UTF-8" in found.message


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert plain(parse(b"\xef\xbb\xbfa: 1")) == {"a": "1"}


def test_nothing_at_all_has_no_tree() -> None:
    findings = Findings()
    assert read("# only a comment\n", "file", findings) is None
    assert findings.sorted() == ()


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        bomb(12),
        "a: &a {k: v}\n" + "\n".join(f"b{i}: &b{i}\n  <<: [{', '.join(['*a'] * 50)}]" for i in range(400)),
        "[" * 5_000 + "]" * 5_000,
        "{a: " * 3_000,
        "- " * 5_000,
        "? " * 5_000,
        "a: " + "x" * (MAX_BYTES + 1),
        "".join(f"k{i}: v\n" for i in range(30_000)),
        "&a " * 2_000,
        "!!str " * 2_000,
        "'" * 9_999,
        "|" + "9" * 5_000,
        "#" * 200_000 + "\n[",
    ],
)
def test_hostile_text_is_refused_quickly_and_in_one_sentence(text: str) -> None:
    started = time.process_time()
    found = refusal(text)
    assert time.process_time() - started < 10
    assert len(found.message) < 400


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-?[]{}&*!|>'\"%@`#,~<\\ \n\t0.xu$\x85\u2028", max_size=60))
@example("? ? a")
@example("!<a> b")
@example("--- !a\n...\n")
@example("- *a : b")
def test_no_text_ever_raises(text: str) -> None:
    findings = Findings()
    node = read(text, "file", findings)
    assert node is None or isinstance(node, Scalar | Sequence | Mapping)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_ever_raise(data: bytes) -> None:
    findings = Findings()
    node = read(data, "file", findings)
    assert node is not None or len(findings.sorted()) <= 1
