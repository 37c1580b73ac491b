"""Sockets as this engine wants them."""

from __future__ import annotations

import socket
from typing import Any

from millstream.protocol.compact import PeerAddress

LISTEN_BACKLOG = 128


def address_family(address: PeerAddress) -> socket.AddressFamily:
    """IPv4 or IPv6."""
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET


def peer_address(name: Any) -> PeerAddress:
    """The address in a socket's name; an IPv4 address met on an IPv6 socket stays IPv4."""
    host, port = name[:2]
    return PeerAddress(host.removeprefix("::ffff:") if "." in host else host, port)


def tune(connected: socket.socket) -> None:
    """Send at once: messages are gathered here, not by the kernel."""
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def bind_listening_socket(address: PeerAddress) -> socket.socket:
    """Listen; raises OSError."""
    family = address_family(address)
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own, so that peers keep their real addresses.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(tuple(address))
        listening.listen(LISTEN_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening
