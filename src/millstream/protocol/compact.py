"""Addresses of peers, and the compact form that trackers, PEX and the DHT send them in.

An IPv4 peer is 6 bytes, 4 of address and 2 of port (BEP 23); an IPv6 peer is 18, 16 and 2 (BEP 7).
Everything is in network byte order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

from millstream.errors import LocalProtocolError, MalformedDataError

PEER_LENGTH = 6
PEER6_LENGTH = 18
MAX_PORT = 65535

# The longest host name the DNS allows, in text (RFC 1035, section 2.3.4).
MAX_HOST_LENGTH = 253

# Packed addresses that are kept: a swarm's peers are all told of the same ones.
_MAX_KEPT = 4096

_PEER = struct.Struct(">BBBBH")
_PEER6 = struct.Struct(">16sH")


class PeerAddress(NamedTuple):
    """Where a peer listens.

    `host` is an IPv4 or IPv6 address in its canonical text, without brackets, or a host name;
    `port` is 1 to 65535, or 0 where a tracker or a peer sent a compact entry that has none.
    """

    host: str
    port: int

    @property
    def is_ipv6(self) -> bool:
        """Whether the host is an IPv6 address: only these contain a colon."""
        return ":" in self.host

    @classmethod
    def parse(cls, text: str) -> PeerAddress:
        """Read `1.2.3.4:80`, `name:80` or `[::1]:80`.

        Raises:
            MalformedDataError: the text has another form, or its port is not 1 to 65535.
        """
        host, colon, port = text.rpartition(":")
        if not colon:
            raise MalformedDataError(f"a peer is written HOST:PORT, not {text!r}")
        # int() alone would also take signs, spaces, underscores and the digits of other scripts.
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= MAX_PORT):
            raise MalformedDataError(f"a port is 1 to {MAX_PORT}, which {text!r} does not end in")
        if host.startswith("[") and host.endswith("]"):
            return cls(_canonical_ipv6(host[1:-1], text), int(port))
        if ":" in host:
            raise MalformedDataError(f"an IPv6 peer is written [ADDRESS]:PORT, not {text!r}")
        return cls(_canonical_host(host, text), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_ipv6 else f"{self.host}:{self.port}"


def pack_peers(addresses: Iterable[PeerAddress]) -> bytes:
    """Join IPv4 addresses, 6 bytes each (BEP 23).

    Raises:
        LocalProtocolError: a host is no IPv4 address, or a port is not 0 to 65535.
    """
    try:
        return b"".join([_packed_ipv4(host) + port.to_bytes(2, "big") for host, port in addresses])
    except (AddressValueError, OverflowError) as error:
        raise LocalProtocolError(f"no compact IPv4 peer: {error}") from error


@lru_cache(maxsize=_MAX_KEPT)
def _packed_ipv4(host: str) -> bytes:
    return IPv4Address(host).packed


def unpack_peers(data: bytes | memoryview) -> list[PeerAddress]:
    """Split compact IPv4 addresses: one entry per 6 bytes, in order, port 0 included (BEP 23).

    Raises:
        MalformedDataError: the length is no multiple of 6.
    """
    if len(data) % PEER_LENGTH:
        raise MalformedDataError(f"compact peers are 6 bytes each, {len(data)} bytes came")
    return [PeerAddress(f"{a}.{b}.{c}.{d}", port) for a, b, c, d, port in _PEER.iter_unpack(data)]


def pack_peers6(addresses: Iterable[PeerAddress]) -> bytes:
    """Join IPv6 addresses, 18 bytes each (BEP 7). A scope id is left out.

    Raises:
        LocalProtocolError: a host is no IPv6 address, or a port is not 0 to 65535.
    """
    try:
        return b"".join(
            IPv6Address(host).packed + port.to_bytes(2, "big") for host, port in addresses
        )
    except (AddressValueError, OverflowError) as error:
        raise LocalProtocolError(f"no compact IPv6 peer: {error}") from error


def unpack_peers6(data: bytes | memoryview) -> list[PeerAddress]:
    """Split compact IPv6 addresses: one entry per 18 bytes, in order, port 0 included (BEP 7).

    Raises:
        MalformedDataError: the length is no multiple of 18.
    """
    if len(data) % PEER6_LENGTH:
        raise MalformedDataError(f"compact IPv6 peers are 18 bytes each, {len(data)} bytes came")
    return [
        PeerAddress(_ipv6_text(IPv6Address(packed)), port)
        for packed, port in _PEER6.iter_unpack(data)
    ]


def _canonical_ipv6(host: str, text: str) -> str:
    try:
        return _ipv6_text(IPv6Address(host))
    except AddressValueError as error:
        raise MalformedDataError(f"{text!r} holds no IPv6 address") from error


def _ipv6_text(address: IPv6Address) -> str:
    # Sockets write mapped addresses this way; str() does so only from Python 3.13 on.
    mapped = address.ipv4_mapped
    return str(address) if mapped is None else f"::ffff:{mapped}"


def _canonical_host(host: str, text: str) -> str:
    if host and host.replace(".", "").isdigit():
        # Only digits and dots: an address or nothing. No resolver gets to read "1.2" as 1.0.0.2.
        try:
            return str(IPv4Address(host))
        except AddressValueError as error:
            raise MalformedDataError(f"{text!r} holds no IPv4 address") from error
    labels = host.removesuffix(".").split(".")
    if len(host) > MAX_HOST_LENGTH or not all(_is_label(label) for label in labels):
        raise MalformedDataError(f"{text!r} holds no host name")
    return host.lower()


def _is_label(label: str) -> bool:
    # Underscores are no part of RFC 1123 and common in private networks and containers.
    return 0 < len(label) <= 63 and all(char.isalnum() or char in "-_" for char in label)
