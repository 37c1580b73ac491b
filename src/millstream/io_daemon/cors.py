"""Pages of other sites that may ask (CORS), and how long a browser remembers it.

Without `Access-Control-Max-Age` a browser asks again before every request (seed 001), and by it
once for each URL: Chromium keys what it remembers by the whole URL and for two hours at most. That is
why what differs from write to write is in headers, and not in the URL.
"""

from __future__ import annotations

# Seconds. Firefox takes no more than this, Chromium 7,200.
MAX_AGE = 86_400

METHODS = "GET, POST, OPTIONS"
HEADERS = ", ".join(
    [
        *("authorization", "content-type", "x-jst-auth", "x-path-base64", "x-offset", "x-length"),
        "x-expected-sha1",
    ]
)


def answer_headers(origin: str | None) -> dict[str, str]:
    """What any answer to a page has; none where no page asked."""
    if origin is None:
        return {}
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def preflight_headers(origin: str | None, *, private_network: bool) -> dict[str, str]:
    """What the answer to OPTIONS has.

    Args:
        origin: the page's site, which may ask.
        private_network: whether the browser asked if a public page may reach a private address.
    """
    headers = answer_headers(origin)
    if origin is not None:
        headers |= {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": str(MAX_AGE),
        }
        if private_network:
            headers["Access-Control-Allow-Private-Network"] = "true"
    return headers
