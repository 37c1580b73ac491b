"""A torrent written down again as a .torrent file: `torrent:{infohash}:metainfo`."""

from __future__ import annotations

from millstream.protocol import bencode
from millstream.protocol.bencode import Bencodable
from millstream.protocol.metainfo import Metainfo


def encode_metainfo(metainfo: Metainfo) -> bytes:
    """A torrent file that `Metainfo.parse` reads to the same value.

    The info dictionary stays byte for byte what it was, or it would be another torrent.
    """
    said: dict[bytes, Bencodable] = {}
    if metainfo.trackers:
        said[b"announce-list"] = [[_bytes(url) for url in tier] for tier in metainfo.trackers]
    if metainfo.web_seeds:
        said[b"url-list"] = [_bytes(url) for url in metainfo.web_seeds]
    if metainfo.comment is not None:
        said[b"comment"] = _bytes(metainfo.comment)
    if metainfo.created_by is not None:
        said[b"created by"] = _bytes(metainfo.created_by)
    if metainfo.creation_date is not None:
        said[b"creation date"] = metainfo.creation_date
    if not said:
        return b"d4:info%be" % metainfo.info
    before = bencode.encode({key: value for key, value in said.items() if key < b"info"})
    after = bencode.encode({key: value for key, value in said.items() if key > b"info"})
    return b"%b4:info%b%b" % (before[:-1], metainfo.info, after[1:])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
