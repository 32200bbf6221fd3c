"""Variables in values, after the examples and the rules of the Compose Specification."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.specs.compose.interpolation import MAX_LENGTH, InterpolationError, interpolate

VARIABLES = {"NAME": "web", "EMPTY": "", "PORT": "80"}


def put_in(text: str) -> tuple[str, list[str]]:
    missing: list[str] = []
    return interpolate(text, VARIABLES, missing.append), missing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$NAME", "web"),
        ("${NAME}", "web"),
        ("$NAME-1", "web-1"),
        ("${NAME}_1", "web_1"),
        ("$$NAME", "$NAME"),
        ("$$$NAME", "$web"),
        ("$${NAME}", "${NAME}"),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY-default}", ""),
        ("${UNSET:-default}", "default"),
        ("${UNSET-default}", "default"),
        ("${NAME:-default}", "web"),
        ("${NAME:+other}", "other"),
        ("${EMPTY:+other}", ""),
        ("${EMPTY+other}", "other"),
        ("${UNSET+other}", ""),
        ("${NAME:?needed}", "web"),
        ("${EMPTY?needed}", ""),
        ("${UNSET:-${NAME}}", "web"),
        ("${UNSET:-${ALSO_UNSET:-$PORT}}", "80"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a:b-c?d}", "a:b-c?d"),
        ("${NAME:-$UNSET}", "web"),
        ("http://${NAME}:${PORT}/", "http://web:80/"),
        ("no variables }", "no variables }"),
    ],
)
def test_each_form_gives_what_compose_gives(text: str, expected: str) -> None:
    assert put_in(text) == (expected, [])


def test_a_variable_that_is_not_set_is_empty_and_reported() -> None:
    assert put_in("a${UNSET}b$OTHER") == ("ab", ["UNSET", "OTHER"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${UNSET:?set it in .env}", "UNSET is required: set it in .env"),
        ("${EMPTY:?}", "EMPTY is required"),
        ("${UNSET?}", "UNSET is required"),
        ("$", "dollar sign"),
        ("a$ b", "dollar sign"),
        ("$5", "dollar sign"),
        ("${}", "dollar sign"),
        ("${NAME", "neither"),
        ("${NAME!}", "neither"),
        ("${NAME:-x", "never closed"),
        ("${A:-" * 20, "nested"),
    ],
)
def test_a_malformed_form_or_a_missing_required_variable_is_refused(text: str, words: str) -> None:
    with pytest.raises(InterpolationError, match=words):
        put_in(text)


def test_a_value_cannot_grow_without_bound() -> None:
    with pytest.raises(InterpolationError, match="grows"):
        interpolate("$BIG" * 100, {"BIG": "x" * (MAX_LENGTH // 10)}, lambda _: None)


@given(st.text(max_size=40))
def test_doubled_dollar_signs_come_back_as_they_were(text: str) -> None:
    assert put_in(text.replace("$", "$$")) == (text, [])


@given(st.text(alphabet="${}:-?+AN ", max_size=30))
def test_no_text_raises_anything_else(text: str) -> None:
    with contextlib.suppress(InterpolationError):
        assert len(put_in(text)[0]) < 1000
