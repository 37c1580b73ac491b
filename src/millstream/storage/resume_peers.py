"""Peers worth meeting again: `torrent:{infohash}:peers`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from millstream.errors import BencodeError, MalformedDataError
from millstream.protocol import bencode
from millstream.protocol.bencode import Bencodable, Bencoded
from millstream.protocol.compact import PeerAddress

PEERS_VERSION = 1

# Libtorrent keeps 100 in its resume data.
MAX_KEPT_PEERS = 200

_MAX_SOURCES = 16
_MAX_NUMBER = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class KeptPeer:
    """A peer as it was known.

    Attributes:
        address: where it listens.
        sources: who told of it, by name.
        last_seen: when it was last connected, seconds since the epoch; None for never.
    """

    address: PeerAddress
    sources: tuple[str, ...] = ()
    last_seen: int | None = None


def encode_peers(peers: Iterable[KeptPeer]) -> bytes:
    """What `decode_peers` reads; of more than MAX_KEPT_PEERS the first ones."""
    entries: list[Bencodable] = []
    for peer in list(peers)[:MAX_KEPT_PEERS]:
        entry: dict[bytes, Bencodable] = {
            b"address": str(peer.address).encode("utf-8", "replace"),
            b"sources": [source.encode("utf-8", "replace") for source in peer.sources],
        }
        if peer.last_seen is not None:
            entry[b"last seen"] = peer.last_seen
        entries.append(entry)
    return bencode.encode({b"version": PEERS_VERSION, b"peers": entries})


def decode_peers(data: bytes | None) -> list[KeptPeer]:
    """Read peers; what cannot be read is left out, for others will be found."""
    try:
        said = bencode.decode(data or b"")
    except BencodeError:
        return []
    if not isinstance(said, dict) or said.get(b"version") != PEERS_VERSION:
        return []
    entries = said.get(b"peers")
    if not isinstance(entries, list):
        return []
    peers = [_decode_peer(entry) for entry in entries[:MAX_KEPT_PEERS]]
    return [peer for peer in peers if peer is not None]


def _decode_peer(entry: Bencoded) -> KeptPeer | None:
    if not isinstance(entry, dict):
        return None
    address, sources, seen = (entry.get(key) for key in (b"address", b"sources", b"last seen"))
    if not isinstance(address, bytes):
        return None
    try:
        found = PeerAddress.parse(address.decode())
    except (UnicodeDecodeError, MalformedDataError):
        return None
    names = sources[:_MAX_SOURCES] if isinstance(sources, list) else []
    return KeptPeer(
        found,
        tuple([name.decode("utf-8", "replace") for name in names if isinstance(name, bytes)]),
        seen if isinstance(seen, int) and 0 <= seen <= _MAX_NUMBER else None,
    )
