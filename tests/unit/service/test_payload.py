from __future__ import annotations

import hashlib
import hmac
import json

from millstream.service.occasion import Happening, Occasion
from millstream.service.payload import make_delivery, signature

HAPPENING = Happening(
    occasion=Occasion.COMPLETED,
    time=1_700_000_000.25,
    infohash="ab" * 20,
    name="Füße\n",
    root="/r",
    path="/r/\udcff",
    size=5,
)


def test_the_body():
    delivery = make_delivery(HAPPENING, "id-1", "")
    assert json.loads(delivery.body) == {
        "version": 1,
        "id": "id-1",
        "event": "completed",
        "time": "2023-11-14T22:13:20.250Z",
        "torrent": {
            "infohash": "ab" * 20,
            "name": "Füße\n",
            "root": "/r",
            "path": "/r/\udcff",
            "size": 5,
        },
        "error": None,
    }
    assert delivery.body.isascii()
    assert delivery.headers == {
        "Content-Type": "application/json",
        "X-Millstream-Event": "completed",
        "X-Millstream-Delivery": "id-1",
    }


def test_the_signature():
    delivery = make_delivery(HAPPENING, "id-1", "hush")
    digest = hmac.new(b"hush", delivery.body, hashlib.sha256).hexdigest()
    assert delivery.headers["X-Millstream-Signature"] == f"sha256={digest}"
    # `printf '{}' | openssl dgst -sha256 -hmac key` says the same.
    said = "a777724d943eb48dc69bca8a4a6d57a04db3f9ec7e1de4e581e860265bdf3032"
    assert signature(b"{}", "key") == f"sha256={said}"
