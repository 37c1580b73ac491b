from __future__ import annotations

import pytest

from millstream.errors import MalformedFrameError
from millstream.io_wire.handshake import Auth, AuthResult, Feature, Hello


def view(data):
    return memoryview(data)


def test_the_originals_hello_is_empty():
    assert Hello.parse(view(b"")) is None


def test_a_hello_says_what_its_sender_can_do():
    hello = Hello(Feature.PACKED | Feature.CREDIT, 1 << 20, 1 << 16, 1 << 24)
    assert hello.encode() == b"\3\0\0\0\0\0\x10\0\0\0\1\0\0\0\0\1"
    assert Hello.parse(view(hello.encode())) == hello


def test_of_a_newer_hello_the_known_is_read():
    later = b"\xff\xff\xff\xff" + Hello().encode()[4:] + b"more"
    found = Hello.parse(view(later))
    assert found is not None
    assert found.features == Feature.PACKED | Feature.CREDIT


def test_a_short_hello():
    with pytest.raises(MalformedFrameError, match="15 bytes"):
        Hello.parse(view(bytes(15)))


@pytest.mark.parametrize(
    ("payload", "auth"),
    [
        (b"\0token\0ext\0install", Auth("token", "ext", "install")),
        (b"\0token", Auth("token")),
        (b"\0token\0", Auth("token")),
        (b"\1tok\0en", Auth("tok\0en")),
        (b"\0", Auth("")),
    ],
)
def test_authentication_of_both_kinds(payload, auth):
    assert Auth.parse(view(payload)) == auth


def test_an_authentication_is_that_of_the_tables():
    assert Auth("t", "e", "i").encode() == b"\0t\0e\0i"


@pytest.mark.parametrize(
    "payload", [b"", b"\2token", b"\0a\0b\0c\0d", b"\0\xff", b"\0" + b"x" * 5000]
)
def test_no_authentication(payload):
    with pytest.raises(MalformedFrameError):
        Auth.parse(view(payload))


def test_results():
    assert AuthResult(True).encode() == b"\0"
    wrong = AuthResult(False, "no")
    assert wrong.encode() == b"\1no"
    assert AuthResult.parse(view(b"\1no")) == wrong
    assert AuthResult.parse(view(b"\0")).is_right
