from __future__ import annotations

import base64

import pytest

from millstream.http_server.refusal import Refusal
from millstream.native_host.framing import encode_message
from millstream.native_host.links import MAX_TORRENT_LENGTH, magnet_event, torrent_event

MAGNET = "magnet:?xt=urn:btih:" + "ab" * 20
FILE = {"file_name": "é.torrent", "contents_base64": base64.b64encode(b"d1:ai1ee").decode()}


def test_a_magnet():
    assert magnet_event({"magnet": MAGNET}) == {"event": "MagnetAdded", "payload": {"link": MAGNET}}


def test_a_torrent():
    assert torrent_event(FILE)["payload"] == {
        "name": "é.torrent",
        "infohash": "",
        "contentsBase64": FILE["contents_base64"],
    }


def test_the_largest_torrent_fits_into_a_message():
    data = b"d" + bytes(MAX_TORRENT_LENGTH * 3 // 4 - 1)
    body = {"file_name": "\U0001f600" * 255, "contents_base64": base64.b64encode(data).decode()}
    assert encode_message(torrent_event(body))


@pytest.mark.parametrize(
    "magnet", [None, 7, "", "http://x", "magnet:?\n", "magnet:?" + "x" * 65_536, "magnet:?\ud800"]
)
def test_what_is_no_magnet(magnet):
    with pytest.raises(Refusal) as caught:
        magnet_event({"magnet": magnet})
    assert (caught.value.status, caught.value.field) == (400, "magnet")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"file_name": ""}, 400),
        ({"file_name": "a" * 256}, 400),
        ({"contents_base64": ""}, 400),
        ({"contents_base64": 7}, 400),
        ({"contents_base64": "no base64!"}, 400),
        ({"contents_base64": "é"}, 400),
        ({"contents_base64": base64.b64encode(b"no torrent").decode()}, 400),
        ({"contents_base64": "A" * (MAX_TORRENT_LENGTH + 1)}, 413),
    ],
)
def test_what_is_no_torrent(changes, status):
    with pytest.raises(Refusal) as caught:
        torrent_event(FILE | changes)
    assert caught.value.status == status
