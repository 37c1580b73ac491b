"""`ut_pex`: a peer says to whom it is connected, and who left since it said so last (BEP 11)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import NamedTuple

from millstream.errors import MalformedDataError, RemoteProtocolError
from millstream.protocol import bencode
from millstream.protocol.bencode import Bencodable, Bencoded
from millstream.protocol.compact import (
    PeerAddress,
    pack_peers,
    pack_peers6,
    unpack_peers,
    unpack_peers6,
)
from millstream.protocol.extension import parse_dict

# BEP 11: what a message may add and drop, but for the first one to a peer.
MAX_PEX_ADDED = 50
MAX_PEX_DROPPED = 50

# How many addresses of a message are read, added and dropped each. First messages may be long, and
# clients with more connections than libtorrent's 200 are rare.
MAX_PEX_READ = 200


class PexFlag(enum.IntFlag):
    """What is known of an added peer."""

    ENCRYPTION = 0x01  # prefers encrypted connections
    SEED = 0x02  # or downloads nothing else (BEP 21)
    UTP = 0x04
    HOLEPUNCH = 0x08
    OUTGOING = 0x10  # the sender connected to it: it can be reached


_ALL_FLAGS = 0x1F


class PexPeer(NamedTuple):
    """A peer that the sender is connected to."""

    address: PeerAddress
    flags: PexFlag = PexFlag(0)


class PexMessage(NamedTuple):
    """Who came and who left; both without repetitions, and no port is 0."""

    added: tuple[PexPeer, ...] = ()
    dropped: tuple[PeerAddress, ...] = ()


def parse(payload: bytes | memoryview) -> PexMessage:
    """Read a message: at most MAX_PEX_READ each of those added and dropped, the rest is left out.

    Flags that are missing count as 0; libtorrent would leave such peers out.

    Raises:
        RemoteProtocolError: no dictionary, or a list of addresses that is none.
    """
    said, _ = parse_dict(bytes(payload), "ut_pex")
    added: dict[PeerAddress, PexFlag] = {}
    dropped: dict[PeerAddress, None] = {}
    for suffix, unpack in _FAMILIES:
        addresses = _read_addresses(said, "added" + suffix, unpack)
        flags = said.get(f"added{suffix}.f".encode())
        if not isinstance(flags, bytes) or len(flags) != len(addresses):
            flags = bytes(len(addresses))
        for address, flag in zip(addresses, flags, strict=True):
            if address.port:
                added.setdefault(address, PexFlag(flag & _ALL_FLAGS))
        for address in _read_addresses(said, "dropped" + suffix, unpack):
            if address.port:
                dropped[address] = None
    return PexMessage(
        tuple([PexPeer(*item) for item in added.items()][:MAX_PEX_READ]),
        tuple(list(dropped)[:MAX_PEX_READ]),
    )


def encode(message: PexMessage) -> bytes:
    """The payload of a message.

    Raises:
        LocalProtocolError: a host is a name and no address.
    """
    said: dict[bytes, Bencodable] = {}
    for ipv6, suffix, pack in ((False, "", pack_peers), (True, "6", pack_peers6)):
        added = [peer for peer in message.added if peer.address.is_ipv6 is ipv6]
        dropped = [address for address in message.dropped if address.is_ipv6 is ipv6]
        # A message has at least one field, if only to say that nobody is there (BEP 11).
        if added or not ipv6:
            said[f"added{suffix}".encode()] = pack(_addresses(added))
            said[f"added{suffix}.f".encode()] = bytes([peer.flags for peer in added])
        if dropped:
            said[f"dropped{suffix}".encode()] = pack(dropped)
    return bencode.encode(said)


_Unpack = Callable[[bytes], list[PeerAddress]]
_FAMILIES: tuple[tuple[str, _Unpack], ...] = (("", unpack_peers), ("6", unpack_peers6))


def _read_addresses(said: dict[bytes, Bencoded], key: str, unpack: _Unpack) -> list[PeerAddress]:
    value = said.get(key.encode(), b"")
    if not isinstance(value, bytes):
        raise RemoteProtocolError(f"ut_pex with {key} that is no string")
    try:
        return unpack(value)
    except MalformedDataError as error:
        raise RemoteProtocolError(f"ut_pex with {key}: {error}") from error


def _addresses(peers: Iterable[PexPeer]) -> list[PeerAddress]:
    return [peer.address for peer in peers]
