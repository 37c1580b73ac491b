"""What a host is to us: a public address, one of our own network, this machine, or nothing at all.

Addresses that a swarm mentions are connected to without anybody having asked, so whoever mentions
them must not be able to turn us against hosts that it cannot reach itself: the router's web page,
a data base on this machine. Libtorrent ignores local addresses from peers that are not local.
"""

from __future__ import annotations

import enum
from functools import lru_cache

from millstream.protocol.address_scope import AddressScope, scope_of

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


_KINDS = {
    AddressScope.GLOBAL: HostKind.GLOBAL,
    # They lead nowhere, and examples and simulations have no others for hosts of the internet.
    AddressScope.DOCUMENTATION: HostKind.GLOBAL,
    AddressScope.PRIVATE: HostKind.LOCAL,
    AddressScope.LINK_LOCAL: HostKind.LOCAL,
    AddressScope.SHARED: HostKind.LOCAL,
    AddressScope.BENCHMARKING: HostKind.LOCAL,
    # Overlay networks live here, whose members tell each other: 200::/7 is Yggdrasil's.
    AddressScope.UNASSIGNED: HostKind.LOCAL,
    AddressScope.LOOPBACK: HostKind.LOOPBACK,
}


@lru_cache(maxsize=_MAX_KEPT)
def host_kind(host: str) -> HostKind:
    """The kind of a host, which is the text of an address or a name."""
    try:
        return _KINDS.get(scope_of(host), HostKind.INVALID)
    except ValueError:
        return HostKind.NAME if _is_name(host) else HostKind.INVALID


def may_tell(teller: HostKind, told: HostKind) -> bool:
    """Whether an address of one kind makes sense between us and a host of another kind.

    An address of the internet does for everybody, one of our network only for its members, and
    this machine's only for what runs on it. A name could stand for any of them.
    """
    return told is HostKind.GLOBAL or (told > HostKind.GLOBAL and teller >= told)


def _is_name(host: str) -> bool:
    # Nothing but digits and dots was meant for an address.
    return bool(host) and ":" not in host and not host.replace(".", "").isdigit()
