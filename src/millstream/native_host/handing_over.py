"""Handing a link over to a browser: to the extension whose native host was used last, and runs."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable

from millstream.errors import ConfigError, NetworkError
from millstream.native_host.link_server import LinkAddress
from millstream.native_host.profiles import Profile

# Seconds; it is on this machine.
ANSWER_TIME = 5.0
MAX_ANSWER_LENGTH = 1 << 16


def addresses(profiles: Iterable[Profile]) -> list[LinkAddress]:
    """Where hosts were that take links, the one used last first."""
    found = []
    for profile in profiles:
        match profile:
            case {"port": int(port), "token": str(token)} if 0 < port < 65536 and token:
                used = profile.get("last_used")
                when = used if isinstance(used, (int, float)) else 0
                found.append((when, LinkAddress(port, token)))
    return [address for _, address in sorted(found, key=lambda pair: -pair[0])]


def hand_over(where: Iterable[LinkAddress], path: str, body: dict[str, str]) -> LinkAddress:
    """Hand something over to the first that is there.

    Args:
        where: hosts, maybe gone.
        path: of the route.
        body: what it takes.

    Returns:
        Who took it.

    Raises:
        NetworkError: nobody is there.
        ConfigError: it was refused; the message says why.
    """
    for address in where:
        try:
            if _ask(address.port, "GET", "/health", {}, None) != (200, b"ok"):
                continue
            # In a header: addresses are written into logs.
            headers = {
                "Authorization": f"Bearer {address.token}",
                "Content-Type": "application/json",
            }
            status, answer = _ask(address.port, "POST", path, headers, json.dumps(body).encode())
        except (OSError, http.client.HTTPException):
            continue
        if status == 200:
            return address
        if status != 401:  # of another host, that has the port of one that is gone
            raise ConfigError(f"the browser's native host refuses it: {_reason(status, answer)}")
    raise NetworkError("no browser with the extension runs, or it has not connected yet")


def _ask(
    port: int, method: str, path: str, headers: dict[str, str], body: bytes | None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIME)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read(MAX_ANSWER_LENGTH)
    finally:
        connection.close()


def _reason(status: int, answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}"
