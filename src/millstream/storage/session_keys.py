"""The keys of a session store, and the index of its torrents.

| key | value |
|---|---|
| `torrents` | the infohashes in the order in which the torrents were added |
| `roots` | `storage.roots_record` |
| `torrent:{infohash}:state` | `storage.resume` |
| `torrent:{infohash}:metainfo` | the torrent as a .torrent file; absent for a magnet without metadata |
| `torrent:{infohash}:peers` | `storage.resume_peers` |
| `torrent:{infohash}:partial` | `engine.partial_record`: blocks of unfinished pieces |
| `limits` | `storage.limits_record`: rate limits that were set while an engine ran |

The `state` of a torrent makes it part of the session, whether or not the index has it: the index
only says in which order.
"""

from __future__ import annotations

from collections.abc import Iterable

from millstream.errors import BencodeError, MalformedDataError
from millstream.protocol import bencode
from millstream.protocol.infohash import INFOHASH_LENGTH, InfoHash

INDEX_KEY = "torrents"
INDEX_VERSION = 1
ROOTS_KEY = "roots"
LIMITS_KEY = "limits"
PREFIX = "torrent:"

_STATE = ":state"


def state_key(info_hash: InfoHash) -> str:
    """Where the torrent's state is."""
    return f"{PREFIX}{info_hash}{_STATE}"


def metainfo_key(info_hash: InfoHash) -> str:
    """Where the torrent's metainfo is."""
    return f"{PREFIX}{info_hash}:metainfo"


def peers_key(info_hash: InfoHash) -> str:
    """Where the torrent's peers are."""
    return f"{PREFIX}{info_hash}:peers"


def partial_key(info_hash: InfoHash) -> str:
    """Where blocks of the torrent's unfinished pieces are."""
    return f"{PREFIX}{info_hash}:partial"


def torrents_of(keys: Iterable[str]) -> list[InfoHash]:
    """The torrents that have a state among these keys; keys of no torrent are passed over."""
    found = []
    for key in keys:
        if key.startswith(PREFIX) and key.endswith(_STATE):
            try:
                info_hash = InfoHash.from_hex(key[len(PREFIX) : -len(_STATE)])
            except MalformedDataError:
                continue
            if state_key(info_hash) == key:
                found.append(info_hash)
    return found


def encode_index(torrents: Iterable[InfoHash]) -> bytes:
    """The value of INDEX_KEY."""
    return bencode.encode({b"torrents": b"".join(torrents), b"version": INDEX_VERSION})


def decode_index(data: bytes | None) -> list[InfoHash]:
    """Read the value of INDEX_KEY; what cannot be read says nothing, as the order is all it says."""
    try:
        index = bencode.decode(data or b"")
    except BencodeError:
        return []
    hashes = index.get(b"torrents") if isinstance(index, dict) else None
    if not isinstance(hashes, bytes):
        return []
    starts = range(0, len(hashes) - INFOHASH_LENGTH + 1, INFOHASH_LENGTH)
    found = [InfoHash(hashes[start : start + INFOHASH_LENGTH]) for start in starts]
    return list(dict.fromkeys(found))
