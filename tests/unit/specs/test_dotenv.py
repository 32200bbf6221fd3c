"""Files of variables, as Compose reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.specs.compose.dotenv import MAX_BYTES, parse_dotenv
from flux.specs.findings import Findings


def parse(text: str | bytes, *, raw: bool = False) -> tuple[dict[str, str], Findings]:
    findings = Findings()
    data = text.encode() if isinstance(text, str) else text
    return parse_dotenv(data, ".env", {"HOME_TOWN": "Prague", "OUTER": "o"}, findings, raw=raw), findings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1", {"A": "1"}),
        ("export A=1\r\nB = 2\r\n", {"A": "1", "B": "2"}),
        ("A: 1", {"A": "1"}),
        ("# comment\n\nA=1 # comment", {"A": "1"}),
        ("A=a#b", {"A": "a#b"}),
        ("A=# empty", {"A": ""}),
        ("A=", {"A": ""}),
        ("A='$HOME_TOWN # kept'  # comment", {"A": "$HOME_TOWN # kept"}),
        ('A="two\\nlines \\"quoted\\""', {"A": 'two\nlines "quoted"'}),
        ('A="$HOME_TOWN \\$5"', {"A": "Prague $5"}),
        ("A=${HOME_TOWN}", {"A": "Prague"}),
        ("A=1\nB=$A$OUTER", {"A": "1", "B": "1o"}),
        ("OUTER", {"OUTER": "o"}),
        ("UNKNOWN", {}),
        ('A="-----BEGIN\nKEY\n-----END"\nB=1', {"A": "-----BEGIN\nKEY\n-----END", "B": "1"}),
        ("A=x=y", {"A": "x=y"}),
        ("a.b-c=1", {"a.b-c": "1"}),
    ],
)
def test_lines_are_read_as_compose_reads_them(text: str, expected: dict[str, str]) -> None:
    found, findings = parse(text)
    assert found == expected
    assert findings.sorted() == ()


def test_a_raw_file_keeps_quotes_and_dollar_signs() -> None:
    assert parse("A='$x' # y", raw=True)[0] == {"A": "'$x' # y"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("A=1\n=2", 2, "expected NAME=value"),
        ("A=1\nhello world", 2, "expected NAME=value"),
        ("A='open", 1, "never closed"),
        ("A=1\nB=${X", 2, "neither"),
        (b"A=1\nB=\xff", 2, "UTF-8"),
        (b"A=" + b"x" * MAX_BYTES, 1, "at most"),
    ],
)
def test_a_mistake_is_named_by_its_line_without_the_value(text: str | bytes, line: int, words: str) -> None:
    findings = parse(text)[1]
    (found,) = findings.sorted()
    assert (found.file, found.line) == (".env", line)
    assert words in found.message
    assert findings.has_refusal


def test_an_unclosed_quote_costs_only_its_own_line() -> None:
    found, findings = parse('A="open\nB=2')
    assert found == {"B": "2"}
    assert findings.has_refusal


@given(st.binary(max_size=60) | st.text(alphabet="AB=:'\"$\\{}# \n", max_size=40).map(str.encode))
def test_no_file_ever_raises(data: bytes) -> None:
    found, _ = parse(data)
    assert all(isinstance(value, str) for value in found.values())
