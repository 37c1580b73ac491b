"""Announcing over HTTP: the URL that is asked, and what comes back (BEP 3, 7, 23, 24, 31)."""

from __future__ import annotations

from ipaddress import ip_address

from millstream.errors import MalformedDataError
from millstream.protocol.bencode import Bencoded
from millstream.protocol.compact import (
    MAX_PORT,
    PEER6_LENGTH,
    PEER_LENGTH,
    PeerAddress,
    unpack_peers,
    unpack_peers6,
)
from millstream.protocol.percent import quote
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest, AnnounceResponse
from millstream.tracker.http_answer import count, decode_answer, words
from millstream.tracker.interval import sane_interval, sane_min_interval
from millstream.tracker.tracker_url import TrackerUrl

# Peers of one answer that are taken, of each family; libtorrent asks for 200 and keeps 3000 in all.
MAX_PEERS = 3000

# A tracker's id comes back with every announce; a longer one would spoil the URL.
MAX_TRACKER_ID_LENGTH = 512

_EVENTS = {
    AnnounceEvent.STARTED: "started",
    AnnounceEvent.COMPLETED: "completed",
    AnnounceEvent.STOPPED: "stopped",
}


def announce_url(tracker: str, request: AnnounceRequest) -> str:
    """The URL to get for an announce.

    The tracker's own query stays in front as it is. Compact answers are asked for (BEP 23), and
    peers that speak message stream encryption (`supportcrypto`, as all clients do).

    Raises:
        TrackerError: the tracker's URL is none.
    """
    parameters = [
        ("info_hash", quote(request.info_hash)),
        ("peer_id", quote(request.peer_id)),
        ("port", str(request.port)),
        ("uploaded", str(request.uploaded)),
        ("downloaded", str(request.downloaded)),
        ("left", str(request.left)),
        ("compact", "1"),
        ("no_peer_id", "1"),
        ("supportcrypto", "1"),
        ("numwant", str(request.want)),
        ("key", f"{request.key & 0xFFFFFFFF:08X}"),
    ]
    if request.event in _EVENTS:
        parameters.append(("event", _EVENTS[request.event]))
    if request.tracker_id is not None:
        parameters.append(("trackerid", quote(request.tracker_id)))
    text = "&".join(f"{name}={value}" for name, value in parameters)
    return TrackerUrl.parse(tracker).with_parameters(text)


def parse_announce(body: bytes, status: int = 200) -> AnnounceResponse:
    """Read a tracker's answer to an announce.

    What is odd about single fields is left out; intervals are bounded (`tracker.interval`); peers
    that have no port, or a name in place of an address, are skipped: no tracker gets us to ask a
    name server.

    Args:
        body: the answer.
        status: of HTTP.

    Raises:
        TrackerError: the tracker refused, or answered something else than an announce's answer.
    """
    answer = decode_answer(body, status)
    tracker_id = answer.get(b"tracker id")
    has_id = isinstance(tracker_id, bytes) and 0 < len(tracker_id) <= MAX_TRACKER_ID_LENGTH
    return AnnounceResponse(
        interval=sane_interval(answer.get(b"interval")),
        min_interval=sane_min_interval(answer.get(b"min interval")),
        seeders=count(answer.get(b"complete")),
        leechers=count(answer.get(b"incomplete")),
        peers=(*_peers(answer.get(b"peers")), *_peers6(answer.get(b"peers6"))),
        warning=words(answer.get(b"warning message", 0)),
        external_ip=_address(answer.get(b"external ip")),
        tracker_id=tracker_id if has_id and isinstance(tracker_id, bytes) else None,
    )


def _peers(value: Bencoded | None) -> list[PeerAddress]:
    """Compact (BEP 23) or as dictionaries (BEP 3)."""
    if isinstance(value, bytes):
        whole = min(len(value) // PEER_LENGTH, MAX_PEERS) * PEER_LENGTH
        return [peer for peer in unpack_peers(value[:whole]) if peer.port]
    if isinstance(value, list):
        found = (_peer(entry) for entry in value[:MAX_PEERS])
        return [peer for peer in found if peer is not None]
    return []


def _peers6(value: Bencoded | None) -> list[PeerAddress]:
    if not isinstance(value, bytes):
        return []
    whole = min(len(value) // PEER6_LENGTH, MAX_PEERS) * PEER6_LENGTH
    return [peer for peer in unpack_peers6(value[:whole]) if peer.port]


def _peer(entry: Bencoded) -> PeerAddress | None:
    if not isinstance(entry, dict):
        return None
    host, port = entry.get(b"ip"), entry.get(b"port")
    if not isinstance(host, bytes) or not isinstance(port, int) or not 0 < port <= MAX_PORT:
        return None
    # The longest address, in text; a scope means something on the tracker's host only.
    if len(host) > 45 or b"%" in host:
        return None
    try:
        text = ip_address(host.decode("ascii"))
        bracketed = f"[{text}]" if text.version == 6 else str(text)
        return PeerAddress.parse(f"{bracketed}:{port}")
    except (ValueError, MalformedDataError):
        return None


def _address(value: Bencoded | None) -> str | None:
    """BEP 24: 4 or 16 bytes."""
    if not isinstance(value, bytes) or len(value) not in (4, 16):
        return None
    return str(ip_address(value))
