"""A TCP socket for a server, and its address as this machine's programs write it."""

from __future__ import annotations

import socket

from millstream.errors import NetworkError


def bind_tcp(host: str, port: int, backlog: int, failing: str) -> socket.socket:
    """Listen at an address.

    Args:
        host: an IPv4 or IPv6 address.
        port: 0 for any that is free.
        backlog: connections that may wait to be accepted.
        failing: how the error begins: "the io-daemon cannot listen".

    Raises:
        NetworkError: the port is taken, or the machine has no such address.
    """
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(backlog)
    except OSError as error:
        opened.close()
        raise NetworkError(f"{failing} at {host} port {port}: {error.strerror or error}") from error
    return opened


def url_host(host: str) -> str:
    """An address to reach a bound one by from this machine, as a URL has it."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    return f"[{reachable}]" if ":" in reachable else reachable
