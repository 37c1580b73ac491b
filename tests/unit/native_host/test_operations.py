from __future__ import annotations

import pytest

from millstream.native_host.operations import (
    BadRequestError,
    DeleteDownloadRoot,
    Handshake,
    OpenFile,
    PickDownloadDirectory,
    RevealInFolder,
    failed,
    read_request,
    succeeded,
)

HELLO = {"id": "1", "op": "handshake", "extensionId": "abc", "installId": "i"}
FIREFOX = "moz-extension://0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"


@pytest.mark.parametrize(
    ("message", "operation"),
    [
        (HELLO, Handshake("abc", "i")),
        (HELLO | {"origin": FIREFOX}, Handshake("abc", "i", FIREFOX)),
        ({"id": "1", "op": "pickDownloadDirectory"}, PickDownloadDirectory()),
        ({"id": "1", "op": "deleteDownloadRoot", "key": "k"}, DeleteDownloadRoot("k")),
        ({"id": "1", "op": "openFile", "rootKey": "k", "path": "a/b"}, OpenFile("k", "a/b")),
        (
            {"id": "1", "op": "revealInFolder", "rootKey": "k", "path": "é"},
            RevealInFolder("k", "é"),
        ),
    ],
)
def test_the_operations(message, operation):
    assert read_request(message) == ("1", operation)


@pytest.mark.parametrize(
    "message", [None, [], "x", {}, {"op": "handshake"}, {"id": None}, {"id": []}]
)
def test_who_has_no_id_gets_none_back(message):
    with pytest.raises(BadRequestError) as caught:
        read_request(message)
    assert caught.value.request_id is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"op": "format"}, "'format'"),
        ({"op": None}, "op"),
        ({"op": 7}, "op"),
        ({"extensionId": ""}, "extensionId"),
        ({"extensionId": 7}, "extensionId"),
        ({"installId": None}, "installId"),
        ({"installId": "i" * 129}, "installId"),
        ({"installId": "a\nb"}, "installId"),
        ({"installId": "\ud800"}, "installId"),
        ({"origin": "https://evil.example"}, "origin"),
        ({"origin": FIREFOX + "/"}, "origin"),
        ({"op": "openFile", "rootKey": "k", "path": "a\0b"}, "path"),
        ({"op": "openFile", "rootKey": "k", "path": "a" * 4097}, "path"),
        ({"op": "openFile", "rootKey": "k"}, "path"),
        ({"op": "revealInFolder", "path": "a"}, "rootKey"),
    ],
)
def test_what_makes_no_sense_has_its_id(changes, why):
    with pytest.raises(BadRequestError, match=why) as caught:
        read_request(HELLO | changes)
    assert caught.value.request_id == "1"


def test_answers():
    assert succeeded(7, "Empty") == {"id": 7, "ok": True, "type": "Empty"}
    assert succeeded(7, "RootRemoved", {"key": "k"})["payload"] == {"key": "k"}
    assert failed(None, "no") == {"id": None, "ok": False, "error": "no", "type": "Empty"}
