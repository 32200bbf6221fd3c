"""Bodies of HTTP answers from whoever they come: never more of them, nor deeper ones, than is asked for."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

from flux.primitives.nesting import MAX_DEPTH, is_too_deep

if TYPE_CHECKING:
    import aiohttp


async def read_at_most(response: "aiohttp.ClientResponse", limit: int) -> bytes:
    """The body, in as many pieces as it comes, or its first `limit` bytes."""
    try:
        return await response.content.readexactly(limit)
    except asyncio.IncompleteReadError as error:
        return error.partial


def decode_json(body: bytes) -> Any:
    """What a stranger's JSON says. Raises ValueError for what is none, and for what is nested beyond all use."""
    if is_too_deep(body):
        raise ValueError(f"JSON nested deeper than {MAX_DEPTH}")
    return json.loads(body)
