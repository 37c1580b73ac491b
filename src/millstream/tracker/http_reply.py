"""The bencoded answers of HTTP trackers, as a tracker writes them (BEP 3, 7, 23, 24, 31, 48)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from millstream.errors import TrackerError
from millstream.protocol.bencode import Bencodable, encode
from millstream.protocol.compact import PeerAddress, pack_peers, pack_peers6
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceResponse, ScrapeEntry


def encode_announce(
    response: AnnounceResponse, *, compact: bool = True, peer_ids: Sequence[bytes] = ()
) -> bytes:
    """Answer an announce.

    Args:
        response: what to say.
        compact: peers as packed strings, IPv6 ones in `peers6` (BEP 23, BEP 7); else all of them
            as dictionaries.
        peer_ids: of the peers in the same order, for the dictionaries; none to leave them out.
    """
    answer: dict[bytes, Bencodable] = {b"interval": response.interval}
    if response.min_interval:
        answer[b"min interval"] = response.min_interval
    if response.seeders is not None:
        answer[b"complete"] = response.seeders
    if response.leechers is not None:
        answer[b"incomplete"] = response.leechers
    if response.warning is not None:
        answer[b"warning message"] = response.warning.encode()
    if response.tracker_id is not None:
        answer[b"tracker id"] = response.tracker_id
    if response.external_ip is not None and (packed := _packed(response.external_ip)):
        answer[b"external ip"] = packed
    if compact:
        answer[b"peers"] = pack_peers(peer for peer in response.peers if not peer.is_ipv6)
        if peers6 := pack_peers6(peer for peer in response.peers if peer.is_ipv6):
            answer[b"peers6"] = peers6
    else:
        answer[b"peers"] = _dictionaries(response.peers, peer_ids)
    return encode(answer)


def encode_scrape(entries: Iterable[tuple[InfoHash, ScrapeEntry]]) -> bytes:
    """Answer a scrape (BEP 48)."""
    files: dict[bytes, Bencodable] = {
        bytes(info_hash): {
            b"complete": entry.seeders,
            b"downloaded": entry.completed,
            b"incomplete": entry.leechers,
        }
        for info_hash, entry in entries
    }
    return encode({b"files": files})


def encode_failure(error: TrackerError) -> bytes:
    """Refuse, with the error's words; `retry in` is whole minutes, or "never" (BEP 31)."""
    answer: dict[bytes, Bencodable] = {b"failure reason": str(error).encode()}
    if error.retry_in is not None:
        answer[b"retry in"] = (
            b"never" if math.isinf(error.retry_in) else max(1, math.ceil(error.retry_in / 60))
        )
    return encode(answer)


def _dictionaries(
    peers: Sequence[PeerAddress], peer_ids: Sequence[bytes]
) -> list[dict[bytes, Bencodable]]:
    listed: list[dict[bytes, Bencodable]] = [
        {b"ip": peer.host.encode(), b"port": peer.port} for peer in peers
    ]
    for entry, peer_id in zip(listed, peer_ids, strict=False):
        entry[b"peer id"] = peer_id
    return listed


def _packed(host: str) -> bytes | None:
    for family in (IPv4Address, IPv6Address):
        try:
            return family(host).packed
        except AddressValueError:
            continue
    return None
