"""What a host is to us: a public address, one of our own network, this machine, or nothing at all.

Addresses that a swarm mentions are connected to without anybody having asked, so whoever mentions
them must not be able to turn us against hosts that it cannot reach itself: the router's web page,
a data base on this machine. Libtorrent ignores local addresses from peers that are not local.
"""

from __future__ import annotations

import enum
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

_LOCAL_IPV4 = tuple(
    map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"))
)
_LOCAL_IPV6 = tuple(map(IPv6Network, ("fe80::/10", "fc00::/7")))
_THIS_NETWORK = IPv4Network("0.0.0.0/8")  # RFC 1122, section 3.2.1.3
_RESERVED = IPv4Network("240.0.0.0/4")  # RFC 1112, section 4, with the broadcast address

# Answers that are kept: all the peers of a swarm tell of the same ones, and each is asked about
# several times. About as many as `SwarmConfig.max_known_peers`.
_MAX_KEPT = 4096


class HostKind(enum.IntEnum):
    """Kinds of hosts; of the addresses, the further down, the more private."""

    INVALID = 0
    """An address to which nobody can be connected: unspecified, multicast, reserved."""
    NAME = 1
    """A host name."""
    GLOBAL = 2
    """An address of the internet."""
    LOCAL = 3
    """An address of a private network or of a link."""
    LOOPBACK = 4
    """This machine."""


@lru_cache(maxsize=_MAX_KEPT)
def host_kind(host: str) -> HostKind:
    """The kind of a host, which is the text of an address or a name."""
    try:
        if ":" not in host:
            return _ipv4_kind(IPv4Address(host))
        address = IPv6Address(host)
    except AddressValueError:
        return HostKind.NAME if _is_name(host) else HostKind.INVALID
    if address.ipv4_mapped is not None:
        return _ipv4_kind(address.ipv4_mapped)
    if address.is_loopback:
        return HostKind.LOOPBACK
    if address.is_unspecified or address.is_multicast:
        return HostKind.INVALID
    return HostKind.LOCAL if any(address in part for part in _LOCAL_IPV6) else HostKind.GLOBAL


def may_tell(teller: HostKind, told: HostKind) -> bool:
    """Whether an address of one kind makes sense between us and a host of another kind.

    An address of the internet does for everybody, one of our network only for its members, and
    this machine's only for what runs on it. A name could stand for any of them.
    """
    return told is HostKind.GLOBAL or (told > HostKind.GLOBAL and teller >= told)


def _ipv4_kind(address: IPv4Address) -> HostKind:
    if address.is_loopback:
        return HostKind.LOOPBACK
    if address.is_multicast or address in _THIS_NETWORK or address in _RESERVED:
        return HostKind.INVALID
    return HostKind.LOCAL if any(address in part for part in _LOCAL_IPV4) else HostKind.GLOBAL


def _is_name(host: str) -> bool:
    # Nothing but digits and dots was meant for an address.
    return bool(host) and ":" not in host and not host.replace(".", "").isdigit()
