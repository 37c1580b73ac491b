"""The packets of UDP trackers, both directions (BEP 15), and what may follow an announce (BEP 41).

Whatever is longer than it must be is fine: BEP 15 reserves the rest for extensions. Identifiers are
unsigned: transactions have 32 bits, connection ids 64.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from millstream.errors import LocalProtocolError, MalformedDataError
from millstream.protocol.compact import (
    PEER6_LENGTH,
    PEER_LENGTH,
    PeerAddress,
    pack_peers,
    pack_peers6,
    unpack_peers,
    unpack_peers6,
)
from millstream.protocol.infohash import INFOHASH_LENGTH, InfoHash
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest, ScrapeEntry

# What a connect request has in place of a connection id.
PROTOCOL_ID = 0x41727101980

# BEP 15, "Scrape": about 74 torrents fit a datagram that no router splits.
MAX_SCRAPE = 74

# Words of an error that are kept; no message of a tracker in use is nearly as long.
MAX_ERROR_LENGTH = 1000

# What BEP 41 options may join to: as long a URL as libtorrent sends, and browsers read.
MAX_URL_DATA = 2048

# The biggest payload of an IPv4 datagram.
MAX_DATAGRAM = 65507

_MAX_UINT32 = 0xFFFFFFFF
_MAX_INT64 = 0x7FFFFFFFFFFFFFFF

_END_OF_OPTIONS = 0
_NOP = 1
_URL_DATA = 2

_REQUEST_HEAD = struct.Struct(">QII")
_RESPONSE_HEAD = struct.Struct(">II")
_ANNOUNCE = struct.Struct(">20s20sQQQIIIiH")
_ANNOUNCED = struct.Struct(">III")
_CONNECTED = struct.Struct(">Q")
_SCRAPED = struct.Struct(">III")


class Action(enum.IntEnum):
    """What a packet is."""

    CONNECT = 0
    ANNOUNCE = 1
    SCRAPE = 2
    ERROR = 3


class ConnectRequest(NamedTuple):
    """A client asks for a connection id."""

    transaction: int


class AnnounceRequestPacket(NamedTuple):
    """A client announces.

    Attributes:
        connection: the id that we gave it.
        transaction: to be sent back.
        announce: what it says; a negative `want` leaves the number of peers to the tracker.
        ip: the IPv4 address that it claims to have, in network byte order; 0 for the sender's.
        url_data: path and query of the tracker's URL (BEP 41); None if it did not say.
    """

    connection: int
    transaction: int
    announce: AnnounceRequest
    ip: int = 0
    url_data: bytes | None = None


class ScrapeRequestPacket(NamedTuple):
    """A client asks for the numbers of some torrents."""

    connection: int
    transaction: int
    info_hashes: tuple[InfoHash, ...]


class ConnectResponse(NamedTuple):
    """A tracker gives a connection id."""

    transaction: int
    connection: int


class AnnounceResponsePacket(NamedTuple):
    """A tracker answers an announce; the interval is as it came, 0 to 2^32 - 1 seconds."""

    transaction: int
    interval: int
    leechers: int
    seeders: int
    peers: tuple[PeerAddress, ...]


class ScrapeResponsePacket(NamedTuple):
    """A tracker answers a scrape, in the order of the request."""

    transaction: int
    entries: tuple[ScrapeEntry, ...]


class ErrorResponse(NamedTuple):
    """A tracker refuses."""

    transaction: int
    message: str


UdpRequest: TypeAlias = ConnectRequest | AnnounceRequestPacket | ScrapeRequestPacket
UdpResponse: TypeAlias = (
    ConnectResponse | AnnounceResponsePacket | ScrapeResponsePacket | ErrorResponse
)


# What clients send.


def pack_connect_request(transaction: int) -> bytes:
    """Ask for a connection id."""
    return _REQUEST_HEAD.pack(PROTOCOL_ID, Action.CONNECT, transaction)


def pack_announce_request(
    connection: int,
    transaction: int,
    announce: AnnounceRequest,
    *,
    url_data: bytes = b"",
    ip: int = 0,
) -> bytes:
    """Announce.

    Args:
        connection: the id from the connect response.
        transaction: which the answer will repeat.
        announce: what to say; `tracker_id` has no place here. Counters above 63 bits are cut.
        url_data: path and query of the tracker's URL, at most MAX_URL_DATA bytes (BEP 41).
        ip: an IPv4 address in network byte order; 0 for the one that the packet comes from.

    Raises:
        LocalProtocolError: the peer id, the port or the URL data have a wrong size.
    """
    if len(announce.peer_id) != 20 or not 0 <= announce.port <= 65535:
        raise LocalProtocolError("an announce needs a peer id of 20 bytes and a port")
    body = _ANNOUNCE.pack(
        announce.info_hash,
        announce.peer_id,
        _counter(announce.downloaded),
        _counter(announce.left),
        _counter(announce.uploaded),
        announce.event.value,
        ip,
        announce.key & _MAX_UINT32,
        max(-1, min(announce.want, 0x7FFFFFFF)),
        announce.port,
    )
    return _REQUEST_HEAD.pack(connection, Action.ANNOUNCE, transaction) + body + _options(url_data)


def pack_scrape_request(
    connection: int, transaction: int, info_hashes: Sequence[InfoHash]
) -> bytes:
    """Ask for the numbers of 1 to MAX_SCRAPE torrents; raises LocalProtocolError."""
    if not 0 < len(info_hashes) <= MAX_SCRAPE:
        raise LocalProtocolError(f"a scrape asks for 1 to {MAX_SCRAPE} torrents")
    return _REQUEST_HEAD.pack(connection, Action.SCRAPE, transaction) + b"".join(info_hashes)


def parse_request(data: bytes | memoryview) -> UdpRequest:
    """Read what a client sent.

    Raises:
        MalformedDataError: it is none of the three requests, or too short.
    """
    if len(data) < _REQUEST_HEAD.size:
        raise MalformedDataError(f"a request of {len(data)} bytes")
    connection, action, transaction = _REQUEST_HEAD.unpack_from(data)
    if action == Action.CONNECT:
        if connection != PROTOCOL_ID:
            raise MalformedDataError("a connect request of another protocol")
        return ConnectRequest(transaction)
    body = bytes(data[_REQUEST_HEAD.size :])
    if action == Action.ANNOUNCE:
        return _parse_announce(connection, transaction, body)
    if action == Action.SCRAPE:
        whole = body[: len(body) - len(body) % INFOHASH_LENGTH][: MAX_SCRAPE * INFOHASH_LENGTH]
        hashes = (
            InfoHash(whole[at : at + INFOHASH_LENGTH])
            for at in range(0, len(whole), INFOHASH_LENGTH)
        )
        return ScrapeRequestPacket(connection, transaction, tuple(hashes))
    raise MalformedDataError(f"a request with the action {action}")


# What trackers send.


def pack_connect_response(transaction: int, connection: int) -> bytes:
    """Give a connection id."""
    return _RESPONSE_HEAD.pack(Action.CONNECT, transaction) + _CONNECTED.pack(connection)


def pack_announce_response(
    transaction: int,
    *,
    interval: int,
    leechers: int,
    seeders: int,
    peers: Iterable[PeerAddress],
    ipv6: bool,
) -> bytes:
    """Answer an announce.

    Args:
        transaction: the request's.
        interval: seconds until the next one.
        leechers: how many there are.
        seeders: how many there are.
        peers: some of them, all of the family that the request came by.
        ipv6: whether that is IPv6.

    Raises:
        LocalProtocolError: a peer is of the other family.
    """
    head = _RESPONSE_HEAD.pack(Action.ANNOUNCE, transaction)
    numbers = _ANNOUNCED.pack(*(_clipped(value) for value in (interval, leechers, seeders)))
    return head + numbers + (pack_peers6(peers) if ipv6 else pack_peers(peers))


def pack_scrape_response(transaction: int, entries: Iterable[ScrapeEntry]) -> bytes:
    """Answer a scrape, in the order of its infohashes."""
    return _RESPONSE_HEAD.pack(Action.SCRAPE, transaction) + b"".join(
        _SCRAPED.pack(_clipped(entry.seeders), _clipped(entry.completed), _clipped(entry.leechers))
        for entry in entries
    )


def pack_error_response(transaction: int, message: str) -> bytes:
    """Refuse, with words for the user."""
    return _RESPONSE_HEAD.pack(Action.ERROR, transaction) + message.encode()[:MAX_ERROR_LENGTH]


def parse_response(data: bytes | memoryview, *, ipv6: bool) -> UdpResponse:
    """Read what a tracker sent.

    Args:
        data: the datagram.
        ipv6: whether it came by IPv6: peers then have 18 bytes instead of 6.

    Raises:
        MalformedDataError: it is none of the four responses, or too short.
    """
    if len(data) < _RESPONSE_HEAD.size:
        raise MalformedDataError(f"an answer of {len(data)} bytes")
    action, transaction = _RESPONSE_HEAD.unpack_from(data)
    body = bytes(data[_RESPONSE_HEAD.size :])
    if action == Action.CONNECT and len(body) >= _CONNECTED.size:
        return ConnectResponse(transaction, *_CONNECTED.unpack_from(body))
    if action == Action.ANNOUNCE and len(body) >= _ANNOUNCED.size:
        interval, leechers, seeders = _ANNOUNCED.unpack_from(body)
        return AnnounceResponsePacket(
            transaction, interval, leechers, seeders, _peers(body[_ANNOUNCED.size :], ipv6)
        )
    if action == Action.SCRAPE:
        entries = _SCRAPED.iter_unpack(body[: len(body) - len(body) % _SCRAPED.size])
        return ScrapeResponsePacket(transaction, tuple(ScrapeEntry(*entry) for entry in entries))
    if action == Action.ERROR:
        words = body[:MAX_ERROR_LENGTH].rstrip(b"\0").decode(errors="replace")
        return ErrorResponse(transaction, words)
    raise MalformedDataError(f"an answer of {len(data)} bytes with the action {action}")


def _parse_announce(connection: int, transaction: int, body: bytes) -> AnnounceRequestPacket:
    if len(body) < _ANNOUNCE.size:
        raise MalformedDataError(f"an announce of {len(body) + _REQUEST_HEAD.size} bytes")
    info_hash, peer_id, downloaded, left, uploaded, event, ip, key, want, port = (
        _ANNOUNCE.unpack_from(body)
    )
    announce = AnnounceRequest(
        info_hash=InfoHash(info_hash),
        peer_id=peer_id,
        port=port,
        uploaded=uploaded,
        downloaded=downloaded,
        left=left,
        # Others than the four are nothing that happened.
        event=AnnounceEvent(event) if event <= AnnounceEvent.STOPPED.value else AnnounceEvent.NONE,
        key=key,
        want=want,
    )
    url_data = _parse_options(body[_ANNOUNCE.size :])
    return AnnounceRequestPacket(connection, transaction, announce, ip, url_data)


def _options(url_data: bytes) -> bytes:
    """URLData options of up to 255 bytes each (BEP 41, "Option Types")."""
    if len(url_data) > MAX_URL_DATA:
        raise LocalProtocolError(f"a tracker URL with {len(url_data)} bytes of path and query")
    parts = (url_data[at : at + 255] for at in range(0, len(url_data), 255))
    return b"".join(bytes((_URL_DATA, len(part))) + part for part in parts)


def _parse_options(data: bytes) -> bytes | None:
    """Join what the URLData options hold; a cut option ends the list, unknown ones are skipped."""
    joined: bytes | None = None
    at = 0
    while at < len(data):
        kind = data[at]
        at += 1
        if kind == _END_OF_OPTIONS:
            break
        if kind == _NOP:
            continue
        if at == len(data):
            break
        end = at + 1 + data[at]
        if end > len(data):
            break
        if kind == _URL_DATA:
            joined = (joined or b"") + data[at + 1 : end]
            if len(joined) > MAX_URL_DATA:
                return joined[:MAX_URL_DATA]
        at = end
    return joined


def _peers(data: bytes, ipv6: bool) -> tuple[PeerAddress, ...]:
    length = PEER6_LENGTH if ipv6 else PEER_LENGTH
    whole = data[: len(data) - len(data) % length]
    peers = unpack_peers6(whole) if ipv6 else unpack_peers(whole)
    return tuple(peer for peer in peers if peer.port)


def _counter(value: int) -> int:
    return max(0, min(value, _MAX_INT64))


def _clipped(value: int) -> int:
    return max(0, min(value, _MAX_UINT32))
