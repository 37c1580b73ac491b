"""Sockets of one port for both protocols and both families."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from millstream.errors import NetworkError

LISTEN_BACKLOG = 128

# A port that is free for TCP is taken for UDP now and then; one in a hundred on a busy machine.
MAX_PORTS_TRIED = 20

# What a machine says that lacks an address, or a family.
_LACKING = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}


@dataclass(slots=True)
class BoundSockets:
    """What a tracker listens at.

    Attributes:
        port: of all of them.
        hosts: the addresses that could be bound.
        streams: listening TCP sockets.
        datagrams: bound UDP sockets.
    """

    port: int
    hosts: list[str] = field(default_factory=list)
    streams: list[socket.socket] = field(default_factory=list)
    datagrams: list[socket.socket] = field(default_factory=list)

    def close(self) -> None:
        """Close all of them."""
        for opened in (*self.streams, *self.datagrams):
            opened.close()


def bind_sockets(hosts: Sequence[str], port: int, *, http: bool, udp: bool) -> BoundSockets:
    """Bind at every host that the machine has.

    Args:
        hosts: IPv4 and IPv6 addresses.
        port: 0 for any that is free everywhere.
        http: whether TCP is wanted.
        udp: whether UDP is wanted.

    Raises:
        NetworkError: the port is taken, or the machine has none of the hosts.
    """
    tries = 1 if port else MAX_PORTS_TRIED
    while True:
        tries -= 1
        bound = BoundSockets(port)
        try:
            failure = _bind_all(bound, hosts, http=http, udp=udp)
        except OSError as error:
            bound.close()
            if error.errno == errno.EADDRINUSE and tries:
                continue
            raise NetworkError(
                f"cannot listen on port {bound.port}: {error.strerror or error}"
            ) from error
        if not bound.hosts:
            raise NetworkError(f"cannot listen at {', '.join(hosts)}: {failure}")
        return bound


def client_host(host: str) -> str:
    """A socket's name for a client as a tracker knows it: no scope, IPv4 as IPv4."""
    host = host.partition("%")[0]
    return host.removeprefix("::ffff:") if "." in host else host


def _bind_all(bound: BoundSockets, hosts: Sequence[str], *, http: bool, udp: bool) -> str:
    """Bind every host; says what the last one lacked. Raises OSError where one is taken."""
    failure = ""
    for host in hosts:
        try:
            if http:
                bound.streams.append(_bind(socket.SOCK_STREAM, host, bound))
            if udp:
                bound.datagrams.append(_bind(socket.SOCK_DGRAM, host, bound))
        except OSError as error:
            if error.errno not in _LACKING and not isinstance(error, socket.gaierror):
                raise
            failure = error.strerror or str(error)
        else:
            bound.hosts.append(host)
    return failure


def _bind(kind: socket.SocketKind, host: str, bound: BoundSockets) -> socket.socket:
    family, _, _, _, name = socket.getaddrinfo(
        host, bound.port, type=kind, flags=socket.AI_NUMERICHOST
    )[0]
    opened = socket.socket(family, kind)
    try:
        opened.setblocking(False)
        if kind == socket.SOCK_STREAM:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own, so that clients keep their real addresses.
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(name)
        if kind == socket.SOCK_STREAM:
            opened.listen(LISTEN_BACKLOG)
    except BaseException:
        opened.close()
        raise
    bound.port = opened.getsockname()[1]
    return opened
