"""Magnet links and torrent files on their way from the desktop to an extension. Pure.

A body that a program of the desktop sends becomes an event for the extension: `{"event", "payload"}`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from millstream.http_server.refusal import Refusal, invalid

# Characters; browsers and desktops hand over no longer addresses. With many trackers one has 4,000.
MAX_MAGNET_LENGTH = 65_536
# Base64 characters: what fits into one message to a browser, 1 MiB, with all around it.
MAX_TORRENT_LENGTH = 900_000
MAX_NAME_LENGTH = 255
# Of a request's body: a torrent's file with its name, whatever of that is escaped.
MAX_BODY = MAX_TORRENT_LENGTH + (16 << 10)


def magnet_event(body: Mapping[str, Any]) -> dict[str, object]:
    """`{"magnet"}`, as the extension is told; raises Refusal."""
    link = _text(body, "magnet", MAX_MAGNET_LENGTH)
    if not link.lower().startswith("magnet:?"):
        raise invalid("magnet", "begins with magnet:?")
    return {"event": "MagnetAdded", "payload": {"link": link}}


def torrent_event(body: Mapping[str, Any]) -> dict[str, object]:
    """`{"file_name", "contents_base64"}`, as the extension is told; raises Refusal."""
    name = _text(body, "file_name", MAX_NAME_LENGTH)
    contents = body.get("contents_base64")
    if isinstance(contents, str) and len(contents) > MAX_TORRENT_LENGTH:
        raise Refusal(
            413,
            "BodyTooLarge",
            f"a torrent's file has {MAX_TORRENT_LENGTH} base64 characters at most: a browser takes "
            "no longer messages",
            "contents_base64",
        )
    try:
        data = base64.b64decode(_text(body, "contents_base64", MAX_TORRENT_LENGTH), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("contents_base64", "is standard base64") from None
    if not data.startswith(b"d"):
        raise invalid("contents_base64", "is a torrent's file: a bencoded dictionary")
    payload = {"name": name, "infohash": "", "contentsBase64": contents}
    return {"event": "TorrentAdded", "payload": payload}


def _text(body: Mapping[str, Any], name: str, most: int) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most or not value.isprintable():
        raise invalid(name, f"is a text of 1 to {most} characters that can be shown")
    return value
