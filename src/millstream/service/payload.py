"""What a webhook is sent: a POST of JSON, and the signature that says whose it is."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from millstream.service.occasion import Happening

VERSION = 1
"""Raised when a key changes its meaning; keys may be added without."""

SIGNATURE = "X-Millstream-Signature"
EVENT = "X-Millstream-Event"
DELIVERY = "X-Millstream-Delivery"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST, the same at every attempt.

    Attributes:
        event: what it is about.
        infohash: of the torrent, for the log.
        body: JSON.
        headers: besides those that HTTP has by itself.
    """

    event: str
    infohash: str
    body: bytes
    headers: dict[str, str]


def make_delivery(happening: Happening, identity: str, secret: str) -> Delivery:
    """What is sent for a happening.

    Args:
        happening: what happened.
        identity: names this delivery; receivers that got it already may know it by that.
        secret: signs it; empty for no signature.
    """
    moment = datetime.fromtimestamp(happening.time, UTC).isoformat(timespec="milliseconds")
    told = {
        "version": VERSION,
        "id": identity,
        "event": happening.occasion.value,
        "time": moment.replace("+00:00", "Z"),
        "torrent": {
            "infohash": happening.infohash,
            "name": happening.name,
            "root": happening.root,
            "path": happening.path or None,
            "size": happening.size,
        },
        "error": happening.error or None,
    }
    # ASCII: a path that is no Unicode has surrogates, which JSON can say and UTF-8 cannot.
    body = json.dumps(told, separators=(",", ":")).encode("ascii")
    event = happening.occasion.value
    headers = {"Content-Type": "application/json", EVENT: event, DELIVERY: identity}
    if secret:
        headers[SIGNATURE] = signature(body, secret)
    return Delivery(event, happening.infohash, body, headers)


def signature(body: bytes, secret: str) -> str:
    """`sha256=` and HMAC-SHA256 of the body in hex, as GitHub's webhooks have it."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
