"""Canonical peer priority (BEP 40): which of two connections both of their ends prefer.

Every peer ranks the others by a hash that both ends of a connection compute alike. If all keep the
connections that rank highest, newcomers find room in a swarm that is full, and whoever holds many
addresses of one network has no more of its connections kept than others have.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from millstream.protocol.compact import PeerAddress

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reflected (RFC 3720, appendix B.4)
# Packed addresses that are kept: ours is in every pair, and a swarm's are ranked again and again.
_MAX_KEPT = 4096


def _table_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_table_entry, range(256)))


def crc32c(data: bytes) -> int:
    """The CRC-32C of some bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def peer_priority(one: PeerAddress, other: PeerAddress) -> int | None:
    """The priority of a connection between two peers, 0 to 2**32 - 1, whichever of them asks.

    Args:
        one: where one of them listens, as the other sees it.
        other: where the other listens.

    Returns:
        None if they are not of the same family, or one of them is a name.
    """
    first, second = _packed(one.host), _packed(other.host)
    if first is None or second is None or len(first) != len(second):
        return None
    if first == second:
        low, high = sorted((one.port, other.port))
        return crc32c(low.to_bytes(2, "big") + high.to_bytes(2, "big"))
    differ_at = next(at for at in range(len(first)) if first[at] != second[at])
    if len(first) == 4:
        whole = 2 if differ_at < 2 else 3 if differ_at < 3 else 4
    else:
        # The text of BEP 40 keeps one byte less than this of addresses that share 40 bits or more.
        # Libtorrent and its test vectors have it this way, and a canonical order is what most have.
        whole = max(6, differ_at + 2)
    return crc32c(b"".join(sorted(_masked(address, whole) for address in (first, second))))


def _masked(address: bytes, whole: int) -> bytes:
    return address[:whole] + bytes(byte & 0x55 for byte in address[whole:])


@lru_cache(maxsize=_MAX_KEPT)
def _packed(host: str) -> bytes | None:
    try:
        if ":" not in host:
            return IPv4Address(host).packed
        address = IPv6Address(host)
    except AddressValueError:
        return None
    return address.packed if address.ipv4_mapped is None else address.ipv4_mapped.packed
