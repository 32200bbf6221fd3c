"""Files of variables: `.env` beside a Compose file, and those that `env_file` names.

NAME=value by line; `export ` before it and comments (#) are allowed. Single quotes keep everything as it is, double
quotes understand backslashes, and all but single quotes substitute variables. Quoted values may span lines.
"""

import re
from collections.abc import Mapping

from flux.specs.compose.interpolation import InterpolationError, interpolate
from flux.specs.findings import Findings, Mark

MAX_BYTES = 256 * 1024

_LINE = re.compile(
    r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(?:([=:])[ \t]*(.*))?", re.ASCII | re.DOTALL
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$$", "'": "'"}


def parse_dotenv(
    data: bytes, file: str, variables: Mapping[str, str], findings: Findings, *, raw: bool = False
) -> dict[str, str]:
    """The variables of the file; `variables` are known before it, and each line knows those above. `raw`: no quotes."""
    if len(data) > MAX_BYTES:
        findings.refuse(Mark(file, 1, 1), "", f"the file has {len(data)} bytes; at most {MAX_BYTES} are read")
        return {}
    try:
        lines = data.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        findings.refuse(Mark(file, line, 1), "", "this line is not UTF-8: save the file as UTF-8 text")
        return {}
    found: dict[str, str] = {}
    index = 0
    while index < len(lines):
        mark = Mark(file, index + 1, 1)
        name, text, index = _statement(lines, index, mark, findings)
        if name is None:
            continue
        if text is None:
            if name in variables:
                found[name] = variables[name]
        elif raw:
            found[name] = text
        else:
            found[name] = _value(text, {**found, **variables}, mark, name, findings)
    return found


def _statement(lines: list[str], index: int, mark: Mark, findings: Findings) -> tuple[str | None, str | None, int]:
    """Name, text after the sign (None when there is no sign), and the next line's index."""
    line = lines[index]
    index += 1
    if not line.strip() or line.lstrip().startswith("#"):
        return None, None, index
    match = _LINE.fullmatch(line)
    if match is None:
        findings.refuse(mark, "", "expected NAME=value; begin the line with # if it is a comment")
        return None, None, index
    if match[2] is None:
        return match[1], None, index
    text = match[3]
    quote = text[:1]
    if quote in ("'", '"'):
        first = index
        while _closing(text, quote) < 0 and index < len(lines):
            text += "\n" + lines[index]
            index += 1
        if _closing(text, quote) < 0:
            findings.refuse(mark, match[1], f"the quote {quote} is never closed")
            return None, None, first
    return match[1], text, index


def _closing(text: str, quote: str) -> int:
    at = 1
    while at < len(text):
        if text[at] == "\\" and quote == '"':
            at += 1
        elif text[at] == quote:
            return at
        at += 1
    return -1


def _value(text: str, variables: Mapping[str, str], mark: Mark, name: str, findings: Findings) -> str:
    if text[:1] == "'":
        return text[1 : _closing(text, "'")]
    if text[:1] == '"':
        text = _unescape(text[1 : _closing(text, '"')])
    else:
        text = re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()

    def missing(variable: str) -> None:
        findings.warn(mark, name, f"the variable {variable} is not set, so it is empty")

    try:
        return interpolate(text, variables, missing)
    except InterpolationError as error:
        findings.refuse(mark, name, str(error))
        return ""


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), text, flags=re.DOTALL)
