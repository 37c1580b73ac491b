"""The body of a request, read within bounds of size and time."""

from __future__ import annotations

import asyncio

from aiohttp import web

from millstream.http_server.refusal import Refusal

# Seconds for a body to arrive; nginx waits as long (`client_body_timeout`).
BODY_TIME = 60.0


def check_length(request: web.BaseRequest, most: int) -> int | None:
    """The length that the request says its body has; raises Refusal if that is over `most` bytes."""
    length = request.content_length
    if length is not None and length > most:
        raise _too_large(most)
    return length


async def read_body(request: web.BaseRequest, most: int) -> bytearray:
    """The body, of which no more than `most` bytes are kept; raises Refusal."""
    check_length(request, most)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIME):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    raise _too_large(most)
    except TimeoutError:
        raise Refusal(408, "TooSlow", f"the body did not come within {BODY_TIME:g} s") from None
    return body


def _too_large(most: int) -> Refusal:
    return Refusal(413, "BodyTooLarge", f"the body has more than the {most} bytes of this route")
