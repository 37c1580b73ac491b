"""Handing a link over to a browser: to the extension whose native host was used last, and runs."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable

from millstream.errors import ConfigError, NetworkError
from millstream.native_host.local_server import LocalAddress, ask
from millstream.native_host.profiles import Profile

# Seconds; it is on this machine.
ANSWER_TIME = 5.0


def addresses(profiles: Iterable[Profile]) -> list[LocalAddress]:
    """Where hosts were that take links, the one used last first."""
    found = []
    for profile in profiles:
        match profile:
            case {"port": int(port), "token": str(token)} if 0 < port < 65536 and token:
                used = profile.get("last_used")
                when = used if isinstance(used, (int, float)) else 0
                found.append((when, LocalAddress(port, token)))
    return [address for _, address in sorted(found, key=lambda pair: -pair[0])]


def hand_over(where: Iterable[LocalAddress], path: str, body: dict[str, str]) -> LocalAddress:
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
            # It gets the token only if it is one of ours.
            if ask(address.port, "GET", "/health", {}, seconds=ANSWER_TIME) != (200, b"ok"):
                continue
            status, answer = ask(
                address.port,
                "POST",
                path,
                {**address.authorization, "Content-Type": "application/json"},
                json.dumps(body).encode(),
                seconds=ANSWER_TIME,
            )
        except (OSError, http.client.HTTPException):
            continue
        if status == 200:
            return address
        if status != 401:  # of another host, that has the port of one that is gone
            raise ConfigError(f"the browser's native host refuses it: {_reason(status, answer)}")
    raise NetworkError("no browser with the extension runs, or it has not connected yet")


def _reason(status: int, answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}"
