"""How far an address reaches: the whole internet, or only this machine and its neighbours.

What a torrent or a tracker names must not lead to hosts that only we can reach (libtorrent:
`ssrf_mitigation`). The lists are those of the IANA special-purpose registries, kept here because
`ipaddress.is_global` answers differently from one Python to the next: until 3.13 it calls mapped
addresses global by their IPv6 form, and several ranges were corrected since.
"""

from __future__ import annotations

import enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address


class AddressScope(enum.Enum):
    """Who can be reached at an address; the value is for sentences."""

    GLOBAL = "global"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    LINK_LOCAL = "link-local"
    SHARED = "carrier-grade NAT"
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    BENCHMARKING = "test network"
    DOCUMENTATION = "documentation"
    RESERVED = "reserved"
    UNASSIGNED = "non-public"
    """IPv6 outside the global unicast space: nobody's on the internet, and overlay networks'."""


# RFC 6890 and the registry that it began; the first match counts.
_SCOPES_4 = [
    (IPv4Network("0.0.0.0/32"), AddressScope.UNSPECIFIED),
    (IPv4Network("0.0.0.0/8"), AddressScope.RESERVED),
    (IPv4Network("10.0.0.0/8"), AddressScope.PRIVATE),
    (IPv4Network("100.64.0.0/10"), AddressScope.SHARED),
    (IPv4Network("127.0.0.0/8"), AddressScope.LOOPBACK),
    (IPv4Network("169.254.0.0/16"), AddressScope.LINK_LOCAL),
    (IPv4Network("172.16.0.0/12"), AddressScope.PRIVATE),
    (IPv4Network("192.0.0.0/24"), AddressScope.RESERVED),
    (IPv4Network("192.0.2.0/24"), AddressScope.DOCUMENTATION),
    (IPv4Network("192.88.99.0/24"), AddressScope.RESERVED),
    (IPv4Network("192.168.0.0/16"), AddressScope.PRIVATE),
    (IPv4Network("198.18.0.0/15"), AddressScope.BENCHMARKING),
    (IPv4Network("198.51.100.0/24"), AddressScope.DOCUMENTATION),
    (IPv4Network("203.0.113.0/24"), AddressScope.DOCUMENTATION),
    (IPv4Network("224.0.0.0/4"), AddressScope.MULTICAST),
    (IPv4Network("240.0.0.0/4"), AddressScope.RESERVED),
]

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_SCOPES_6 = [
    (IPv6Network("::/128"), AddressScope.UNSPECIFIED),
    (IPv6Network("::1/128"), AddressScope.LOOPBACK),
    (IPv6Network("fc00::/7"), AddressScope.PRIVATE),
    (IPv6Network("fe80::/10"), AddressScope.LINK_LOCAL),
    (IPv6Network("fec0::/10"), AddressScope.PRIVATE),
    (IPv6Network("ff00::/8"), AddressScope.MULTICAST),
    (IPv6Network("2001::/23"), AddressScope.RESERVED),
    (IPv6Network("2001:db8::/32"), AddressScope.DOCUMENTATION),
    (IPv6Network("3fff::/20"), AddressScope.DOCUMENTATION),
]
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_TEREDO = IPv6Network("2001::/32")  # RFC 4380, which inverts the client's address


def scope_of(host: str) -> AddressScope:
    """Say how far an IPv4 or IPv6 address reaches.

    An IPv6 address that stands for an IPv4 one (mapped, 6to4, NAT64, Teredo) reaches as far as that.

    Raises:
        ValueError: the text is no address; a name has a scope only once it is resolved.
    """
    address = ip_address(host)
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        return _scope_6(address) if inner is None else _scope_4(inner)
    return _scope_4(address)


def is_global(host: str) -> bool:
    """Whether an address can be reached from everywhere; False for what is no address."""
    try:
        return scope_of(host) is AddressScope.GLOBAL
    except ValueError:
        return False


def is_local(host: str) -> bool:
    """Whether a host is an address that cannot be reached from everywhere, or `localhost`."""
    try:
        return scope_of(host) is not AddressScope.GLOBAL
    except ValueError:
        return host.lower() == "localhost"


def _scope_4(address: IPv4Address) -> AddressScope:
    return next((scope for net, scope in _SCOPES_4 if address in net), AddressScope.GLOBAL)


def _scope_6(address: IPv6Address) -> AddressScope:
    for net, scope in _SCOPES_6:
        if address in net:
            return scope
    return AddressScope.GLOBAL if address in _GLOBAL_UNICAST else AddressScope.UNASSIGNED


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address to which packets for an IPv6 address really go."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _TEREDO:
        return IPv4Address(~int(address) & 0xFFFFFFFF)
    return None
