"""A server of this machine that wants a token, and how it is asked."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import NamedTuple

HOST = "127.0.0.1"

# Of an answer, so many bytes are read: all of them are short.
MAX_ANSWER_LENGTH = 1 << 16


class LocalAddress(NamedTuple):
    """Where it is.

    Attributes:
        port: at `HOST`.
        token: that it wants.
    """

    port: int
    token: str

    @property
    def authorization(self) -> dict[str, str]:
        """The header with the token: the address would be written into logs."""
        return {"Authorization": f"Bearer {self.token}"}


def ask(
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    *,
    seconds: float,
) -> tuple[int, bytes]:
    """Ask a server, and wait for its answer; it blocks.

    Args:
        port: at `HOST`.
        method: of HTTP.
        path: what is asked for.
        headers: besides those that every request has.
        body: what it takes; None for nothing.
        seconds: how long it may be silent.

    Returns:
        The status, and the answer's body.

    Raises:
        OSError: it is not there, or silent.
        http.client.HTTPException: what is there speaks no HTTP.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=seconds)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read(MAX_ANSWER_LENGTH)
    finally:
        connection.close()
