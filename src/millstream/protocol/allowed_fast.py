"""The pieces that a peer may have while it is choked (BEP 6, "Allowed Fast Set Generation").

Which these are follows from the peer's address and the torrent alone, so whoever a newcomer asks, it
is allowed the same few and cannot collect the whole torrent that way.
"""

from __future__ import annotations

import hashlib
from ipaddress import AddressValueError, IPv4Address, IPv6Address

# One user has many addresses in the same network; the network counts. BEP 6 says /24 for IPv4 and
# nothing for IPv6, where a site gets a /64 at least.
_NETWORK4 = 0xFFFFFF00
_NETWORK6 = ((1 << 64) - 1) << 64


def allowed_fast_set(host: str, info_hash: bytes, piece_count: int, size: int) -> list[int]:
    """The indexes of `size` different pieces, fewer only if the torrent has no more.

    The first ones of a larger set are the smaller set.

    Args:
        host: the peer's IPv4 or IPv6 address; of one that is neither the set is empty.
        info_hash: 20 bytes.
        piece_count: how many pieces the torrent has.
        size: how many are wanted (BEP 6: 10).
    """
    try:
        address = IPv6Address(host) if ":" in host else IPv4Address(host)
    except AddressValueError:
        return []
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if isinstance(address, IPv4Address):
        network = (int(address) & _NETWORK4).to_bytes(4, "big")
    else:
        network = (int(address) & _NETWORK6).to_bytes(16, "big")
    if size >= piece_count:
        return list(range(piece_count))
    chosen: dict[int, None] = {}
    state = network + info_hash
    while len(chosen) < size:
        state = hashlib.sha1(state).digest()
        for at in range(0, 20, 4):
            if len(chosen) < size:
                chosen[int.from_bytes(state[at : at + 4], "big") % piece_count] = None
    return list(chosen)
