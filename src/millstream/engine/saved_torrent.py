"""A torrent as a session store has it, and what became of all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from millstream.core.partial_piece import PartialPiece
from millstream.engine.partial_record import decode_partial
from millstream.errors import MalformedDataError, MillstreamError
from millstream.interfaces.session_store import SessionStore
from millstream.protocol.infohash import InfoHash
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.storage.resume import ResumeState
from millstream.storage.resume_peers import KeptPeer, decode_peers
from millstream.storage.session_keys import metainfo_key, partial_key, peers_key, state_key

# Torrents read from the store in one go: a torrent file may have a hundred megabytes.
_READ_TOGETHER = 50

_KEYS = (state_key, metainfo_key, peers_key, partial_key)


@dataclass(frozen=True, slots=True)
class SavedTorrent:
    """A torrent of the last run.

    Attributes:
        source: the torrent, or the magnet link if its metadata never came.
        state: what it was like.
        peers: who was there.
        partial: what came of unfinished pieces.
    """

    source: Metainfo | Magnet
    state: ResumeState
    peers: list[KeptPeer]
    partial: list[PartialPiece]


async def load_saved(
    store: SessionStore, torrents: Sequence[InfoHash]
) -> AsyncIterator[tuple[InfoHash, SavedTorrent | MillstreamError]]:
    """Read torrents from a store, in this order; what is wrong with one is told in its place.

    Those that have no state are passed over. Raises StorageError.
    """
    for start in range(0, len(torrents), _READ_TOGETHER):
        some = torrents[start : start + _READ_TOGETHER]
        keys = [key(each) for each in some for key in _KEYS]
        values = await store.get_many(keys)
        for info_hash in some:
            if state_key(info_hash) in values:
                try:
                    yield info_hash, _read(info_hash, values)
                except MillstreamError as error:
                    yield info_hash, error


def _read(info_hash: InfoHash, values: Mapping[str, bytes]) -> SavedTorrent:
    state = ResumeState.decode(values[state_key(info_hash)])
    metainfo = values.get(metainfo_key(info_hash))
    source: Metainfo | Magnet
    if metainfo is not None:
        source = Metainfo.parse(metainfo)
    elif state.magnet is not None:
        source = Magnet.parse(state.magnet)
    else:
        raise MalformedDataError("neither its metainfo nor a magnet link was saved")
    if source.info_hash != info_hash:
        raise MalformedDataError(f"what was saved is another torrent, {source.info_hash}")
    return SavedTorrent(
        source,
        state,
        decode_peers(values.get(peers_key(info_hash))),
        decode_partial(values.get(partial_key(info_hash))),
    )
