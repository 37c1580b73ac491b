"""Where an io-daemon is, and what it wants to hear."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonAddress:
    """One of a port, a Unix socket, and a socket that is connected already.

    Attributes:
        token: what every client must bring.
        host: an address or a name.
        port: 1 to 65535.
        unix_socket: a path, instead of host and port.
        connected: a socket to the daemon, for a process that may not make one any more. Once it is
            lost there is no other.
    """

    token: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 0
    unix_socket: str | None = None
    connected: socket.socket | None = None

    def __str__(self) -> str:
        if self.connected is not None:
            return "the other end of a socket"
        if self.unix_socket is not None:
            return self.unix_socket
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def http_host(self) -> str:
        """What stands in a Host header."""
        if self.connected is not None or self.unix_socket is not None:
            return "localhost"
        return str(self)
