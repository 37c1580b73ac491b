"""What the engine is, as the JSON of the routes shows it; JSTorrent's names where it has them."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from millstream import PeerStatus, Torrent, TrackerStatus
from millstream.engine.status import PieceState
from millstream.engine.tick_meter import TickStats
from millstream.events import (
    FilesRenamed,
    PeerBanned,
    PeerConnected,
    PeerDisconnected,
    PieceFailed,
    PieceVerified,
    StateChanged,
    TorrentCompleted,
    TorrentFailed,
    TorrentMoved,
)
from millstream.rpc.torrent_view import Json, state_name


def peer_view(peer: PeerStatus) -> Json:
    """A connected peer. Speeds are bytes a second."""
    return {
        "ip": peer.address.host,
        "port": peer.address.port,
        "client": peer.client,
        "peerId": peer.peer_id.hex(),
        "downloaded": peer.downloaded,
        "uploaded": peer.uploaded,
        "downloadSpeed": round(peer.download_rate),
        "uploadSpeed": round(peer.upload_rate),
        "percent": round(100 * peer.progress, 2),
        "piecesHave": peer.pieces_have,
        "amChoking": peer.am_choking,
        "amInterested": peer.am_interested,
        "peerChoking": peer.peer_choking,
        "peerInterested": peer.peer_interested,
        "connectionType": "incoming" if peer.incoming else "outgoing",
        "source": peer.source,
        "encryption": peer.encryption,
        "flags": peer.flags,
    }


def tracker_view(tracker: TrackerStatus) -> Json:
    """A tracker; `nextAnnounce` is seconds from now, or null."""
    wait = tracker.next_announce
    return {
        "url": tracker.url,
        "tier": tracker.tier,
        "state": tracker.state.value,
        "error": tracker.error,
        "warning": tracker.warning,
        "nextAnnounce": None if wait is None else round(wait),
        "seeders": tracker.seeders,
        "leechers": tracker.leechers,
        "peers": tracker.peers,
    }


def pieces_view(torrent: Torrent) -> Json:
    """The pieces: a bitfield in hex (BEP 3's order), and the numbers of those being fetched."""
    states = torrent.piece_states()
    bits = "".join(["1" if state == PieceState.HAVE else "0" for state in states])
    padded = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return {
        "pieceCount": len(states),
        "pieceLength": torrent.metainfo.piece_length if torrent.has_metadata else 0,
        "piecesHave": states.count(PieceState.HAVE),
        "bitfield": int(padded, 2).to_bytes(len(padded) // 8, "big").hex() if padded else "",
        "active": [index for index, state in enumerate(states) if state == PieceState.ACTIVE],
    }


def files_view(torrent: Torrent) -> list[Json]:
    """The files, without padding; `done` counts the bytes that are in verified pieces.

    Raises:
        MetadataPendingError: they are not known yet.
    """
    metainfo = torrent.metainfo
    length, total = metainfo.piece_length, metainfo.total_length
    states, priorities = torrent.piece_states(), torrent.file_priorities()
    sizes = [length] * len(states)
    sizes[-1] = total - length * (len(states) - 1)
    have = [size * (state == PieceState.HAVE) for size, state in zip(sizes, states, strict=True)]
    before = [0, *accumulate(have)]

    def verified(offset: int) -> int:
        """Verified bytes below an offset."""
        piece = min(offset // length, len(have) - 1)
        return before[piece] + (min(offset - piece * length, sizes[piece]) if have[piece] else 0)

    paths = torrent.file_paths()
    files: list[Json] = []
    offset = 0
    for index, entry in enumerate(metainfo.files):
        end = offset + entry.length
        if paths[index] is not None:
            files.append(
                {
                    "index": index,
                    "path": paths[index],
                    "size": entry.length,
                    "done": verified(end) - verified(offset),
                    "priority": priorities[index].name.lower(),
                }
            )
        offset = end
    return files


def availability_view(torrent: Torrent) -> Json:
    """How many connected peers have each piece, and how many copies that makes."""
    counts = torrent.availability()
    least = min(counts, default=0)
    more = len(counts) - bisect_left(sorted(counts), least + 1)
    return {
        "pieceCount": len(counts),
        "availability": counts,
        "distributedCopies": round(least + (more / len(counts) if counts else 0.0), 3),
    }


def tick_view(stats: TickStats) -> Json:
    """The ticks of the last five seconds, in milliseconds."""
    return {
        "tickCount": stats.count,
        "tickTotalMs": round(1000 * stats.total, 3),
        "tickMaxMs": round(1000 * stats.longest, 3),
        "tickAvgMs": round(1000 * stats.average, 3),
        "activePieces": stats.active_pieces,
        "connectedPeers": stats.connected_peers,
        "activeTorrents": stats.active_torrents,
    }


def event_view(event: object) -> Json:
    """Something that happened to a torrent."""
    match event:
        case StateChanged(before, after):
            return {
                "type": "stateChanged",
                "before": state_name(before),
                "after": state_name(after),
            }
        case PieceVerified(piece):
            return {"type": "pieceVerified", "piece": piece}
        case PieceFailed(piece):
            return {"type": "pieceFailed", "piece": piece}
        case PeerConnected(address, client):
            told: Json = {"type": "peerConnected", "client": client}
        case PeerDisconnected(address, reason):
            told = {"type": "peerDisconnected", "reason": reason}
        case PeerBanned(address, reason):
            told = {"type": "peerBanned", "reason": reason}
        case TorrentCompleted():
            return {"type": "torrentCompleted"}
        case TorrentFailed(error):
            return {"type": "torrentFailed", "error": str(error)}
        case TorrentMoved(save_path):
            return {"type": "torrentMoved", "savePath": save_path}
        case FilesRenamed(paths):
            files = [{"index": index, "path": path} for index, path in paths.items()]
            return {"type": "filesRenamed", "files": files}
        case _:  # events that were added since: their name is better than silence
            return {"type": type(event).__name__[:1].lower() + type(event).__name__[1:]}
    return {**told, "ip": address.host, "port": address.port}
