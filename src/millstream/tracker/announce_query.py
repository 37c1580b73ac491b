"""The query strings of HTTP announces and scrapes, as a tracker reads them (BEP 3, 7, 23, 48).

Infohashes and peer ids are bytes, percent-encoded; they are no text in any encoding, so the whole
query is taken apart as bytes. A `+` stands for itself, as in every URL outside of forms: it may be
a byte of an infohash.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from millstream.errors import MalformedDataError
from millstream.protocol.compact import MAX_PORT
from millstream.protocol.infohash import InfoHash
from millstream.protocol.percent import unquote
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest

# Bytes of a query. HTTP servers take request lines of about 8000; 74 infohashes need 5254.
MAX_QUERY_LENGTH = 8000

# Parameters of a query: as many infohashes as a scrape by UDP has (BEP 15), and some more.
MAX_PARAMETERS = 100

# Infohashes in a scrape, as by UDP (BEP 15, "Scrape").
MAX_SCRAPE = 74

_INT = re.compile(rb"-?[0-9]{1,20}").fullmatch
_HEX_KEY = re.compile(rb"[0-9a-fA-F]{1,8}").fullmatch

_EVENTS = {
    b"started": AnnounceEvent.STARTED,
    b"completed": AnnounceEvent.COMPLETED,
    b"stopped": AnnounceEvent.STOPPED,
}


@dataclass(frozen=True, slots=True)
class AnnounceQuery:
    """An announce, and how it wants to be answered.

    Attributes:
        announce: what it says; a negative `want` leaves the number of peers to the tracker.
        compact: False if it asked for a list of dictionaries (BEP 23).
        no_peer_id: whether these may go without the peer ids.
        ip: the address that it claims to have, in canonical text; None if it claims none.
    """

    announce: AnnounceRequest
    compact: bool = True
    no_peer_id: bool = False
    ip: str | None = None


def parse_announce_query(query: bytes) -> AnnounceQuery:
    """Read the query of an announce, what follows the `?`.

    What says nothing about the client may be missing or odd; an unknown event is none, a `left`
    that is missing or negative is unknown, which makes a leecher.

    Raises:
        MalformedDataError: the message is fit to be a failure reason.
    """
    fields = _fields(query)
    port = _number(fields, b"port", None)
    if not 0 <= port <= MAX_PORT:
        raise MalformedDataError("port is not 0 to 65535")
    left = _number(fields, b"left", -1)
    announce = AnnounceRequest(
        info_hash=_info_hash(_only(fields, b"info_hash")),
        peer_id=_peer_id(_only(fields, b"peer_id")),
        port=port,
        uploaded=max(0, _number(fields, b"uploaded", 0)),
        downloaded=max(0, _number(fields, b"downloaded", 0)),
        left=left if left >= 0 else 1,
        event=_EVENTS.get(_first(fields, b"event"), AnnounceEvent.NONE),
        key=_key(_first(fields, b"key")),
        want=_number(fields, b"numwant", -1),
        tracker_id=_first(fields, b"trackerid") or None,
    )
    return AnnounceQuery(
        announce,
        compact=_first(fields, b"compact") != b"0",
        no_peer_id=_first(fields, b"no_peer_id") == b"1",
        ip=_ip(_first(fields, b"ip")),
    )


def parse_scrape_query(query: bytes) -> tuple[InfoHash, ...]:
    """Read the query of a scrape: one `info_hash` for each torrent (BEP 48).

    Raises:
        MalformedDataError: there is none, or more than MAX_SCRAPE; the message is fit to be a
            failure reason.
    """
    hashes = _fields(query).get(b"info_hash", [])
    if not 0 < len(hashes) <= MAX_SCRAPE:
        raise MalformedDataError(f"a scrape names 1 to {MAX_SCRAPE} torrents by info_hash")
    return tuple(_info_hash(value) for value in hashes)


def _fields(query: bytes) -> dict[bytes, list[bytes]]:
    if len(query) > MAX_QUERY_LENGTH:
        raise MalformedDataError("the query is too long")
    parts = query.split(b"&", MAX_PARAMETERS)
    if len(parts) > MAX_PARAMETERS:
        raise MalformedDataError("the query has too many parameters")
    fields: dict[bytes, list[bytes]] = {}
    for part in parts:
        name, _, value = part.partition(b"=")
        fields.setdefault(unquote(name), []).append(unquote(value))
    return fields


def _first(fields: dict[bytes, list[bytes]], name: bytes) -> bytes:
    return fields.get(name, [b""])[0]


def _only(fields: dict[bytes, list[bytes]], name: bytes) -> bytes:
    values = fields.get(name, [])
    if len(values) != 1:
        raise MalformedDataError(f"{name.decode()} is {'missing' if not values else 'ambiguous'}")
    return values[0]


def _number(fields: dict[bytes, list[bytes]], name: bytes, default: int | None) -> int:
    text = _first(fields, name)
    if not text and default is not None:
        return default
    if not _INT(text):
        raise MalformedDataError(f"{name.decode()} is {'no number' if text else 'missing'}")
    return int(text)


def _info_hash(value: bytes) -> InfoHash:
    try:
        return InfoHash(value)
    except MalformedDataError:
        raise MalformedDataError("info_hash is not 20 bytes") from None


def _peer_id(value: bytes) -> bytes:
    if len(value) != 20:
        raise MalformedDataError("peer_id is not 20 bytes")
    return value


def _key(value: bytes) -> int:
    """The key as UDP has it, 32 bits: most clients write theirs in hexadecimal, others any text."""
    if not value:
        return 0
    if _HEX_KEY(value):
        return int(value, 16)
    return int.from_bytes(hashlib.blake2b(value, digest_size=4).digest(), "big")


def _ip(value: bytes) -> str | None:
    text = value.decode("ascii", "replace")
    for family in (IPv4Address, IPv6Address):
        try:
            # No scope: it means something on the client's own machine only.
            return str(family(text.partition("%")[0]))
        except AddressValueError:
            continue
    return None
