"""URLs as an HTTP client needs them: whom to connect to, and what to ask for."""

from __future__ import annotations

import base64
import encodings.idna  # noqa: F401 - now: a sandboxed process cannot load it any more
import re
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

# Nothing in it needs quoting, so quoting must not touch it: trackers want their bytes unchanged.
_QUOTED = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]*").fullmatch

# What stays as it is where something else has to be quoted (RFC 3986).
_SAFE = "!#$%&'()*+,/:;=?@[]~"

_PORTS = {"http": 80, "https": 443}


class HttpUrl(NamedTuple):
    """A URL taken apart.

    Attributes:
        text: all of it, quoted.
        is_secure: whether TLS is wanted.
        host: a name or an address, without brackets.
        port: 1 to 65535.
        target: path and query.
        authorization: the value of an Authorization header; empty for none.
    """

    text: str
    is_secure: bool
    host: str
    port: int
    target: str
    authorization: str

    @property
    def host_header(self) -> str:
        """The value of a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            host
            if self.port == _PORTS["https" if self.is_secure else "http"]
            else (f"{host}:{self.port}")
        )


def parse_url(text: str, base: HttpUrl | None = None) -> HttpUrl:
    """Read a URL, or one relative to another.

    Raises:
        ValueError: it is none that begins with http:// or https://.
    """
    joined = text if base is None else urljoin(base.text, text)
    if not _QUOTED(joined):
        joined = quote(joined, safe=_SAFE, errors="surrogateescape")
    parts = urlsplit(joined)
    if parts.scheme not in _PORTS or not parts.hostname or parts.port == 0:
        raise ValueError("it is no URL that begins with http:// or https://")
    host = parts.hostname
    if "%" in host:
        host = unquote_to_bytes(host).decode().encode("idna").decode()
    user, colon, _ = parts.netloc.rpartition("@")[0].partition(":")
    authorization = ""
    if user or colon:
        secret = unquote_to_bytes(parts.netloc.rpartition("@")[0])
        authorization = "Basic " + base64.b64encode(secret).decode()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = parts.port or _PORTS[parts.scheme]
    return HttpUrl(joined, parts.scheme == "https", host, port, target, authorization)
