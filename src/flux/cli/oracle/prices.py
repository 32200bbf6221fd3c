"""Where a feeder takes the price of FLUX from."""

import json
from pathlib import Path
from typing import Any

import aiohttp

from flux.cli.dollars import parse
from flux.cli.errors import CliError
from flux.contracts.oracle.types import UsdPrice
from flux.sdk.http import read_at_most

TIMEOUT = aiohttp.ClientTimeout(total=10)
MAX_BYTES = 64 * 1024


def pick(text: str, field: str | None) -> UsdPrice:
    """The price in a text: a number, or a member of a JSON document by its path, `data.price`."""
    if field is None:
        return parse(text)
    try:
        found: Any = json.loads(text)
        for part in field.split("."):
            found = found[int(part)] if isinstance(found, list) else found[part]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise CliError(f"the answer has no {field}: {type(error).__name__}", "see --field") from error
    return parse(str(found))


def _text_of(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{file} cannot be read: {error}", "see --from") from error


async def read(source: str, field: str | None) -> UsdPrice:
    """The price that a file or URL says now. Raises CliError, UsageError."""
    if not source.startswith(("http://", "https://")):
        return pick(_text_of(source), field)
    try:
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session, session.get(source) as answer:
            answer.raise_for_status()
            body = await read_at_most(answer, MAX_BYTES)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CliError(f"{source} did not answer: {error or type(error).__name__}", "the feeder tries again") from error
    return pick(body.decode(errors="replace"), field)
