from __future__ import annotations

import http.client
from typing import ClassVar

import pytest

from millstream.errors import ConfigError, NetworkError
from millstream.native_host import handing_over
from millstream.native_host.handing_over import addresses, hand_over
from millstream.native_host.local_server import LocalAddress

OLD, NEW = LocalAddress(1, "old"), LocalAddress(2, "new")


def test_the_one_used_last_comes_first():
    profiles = [
        {"port": 1, "token": "old", "last_used": 5},
        {"port": 0, "token": ""},
        {"port": "x", "token": "y"},
        {"port": 70_000, "token": "y"},
        {},
        {"port": 2, "token": "new", "last_used": 6.5},
        {"port": 3, "token": "odd", "last_used": None},
    ]
    assert addresses(profiles) == [NEW, OLD, LocalAddress(3, "odd")]


@pytest.fixture
def asked(monkeypatch):
    """What is asked of each port; and what each answers, or how it fails."""

    class Asked(list):
        answers: ClassVar = {}

    def ask(port, method, path, headers, body=None, *, seconds):
        asked.append((port, path, headers.get("Authorization"), body))
        answer = Asked.answers.get(port, ConnectionRefusedError())
        if isinstance(answer, Exception):
            raise answer
        return (200, b"ok") if path == "/health" else answer

    asked = Asked()
    monkeypatch.setattr(handing_over, "ask", ask)
    return asked


def test_the_first_that_is_there_gets_it(asked):
    type(asked).answers = {1: (200, b"{}")}
    assert hand_over([NEW, OLD], "/add-magnet", {"magnet": "m"}) == OLD
    assert asked == [
        (2, "/health", None, None),
        (1, "/health", None, None),
        (1, "/add-magnet", "Bearer old", b'{"magnet": "m"}'),
    ]


@pytest.mark.parametrize(
    "answer", [ConnectionResetError(), http.client.BadStatusLine("x"), (401, b"")]
)
def test_somebody_else_has_its_port_now(asked, answer):
    type(asked).answers = {2: answer, 1: (200, b"")}
    assert hand_over([NEW, OLD], "/x", {}) == OLD


def test_nobody_is_there(asked):
    type(asked).answers = {}
    with pytest.raises(NetworkError, match="no browser"):
        hand_over([NEW], "/x", {})
    with pytest.raises(NetworkError):
        hand_over([], "/x", {})


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((413, b'{"message": "too long"}'), "too long"),
        ((500, b"<html>"), "HTTP 500"),
        ((500, b"7"), "HTTP 500"),
    ],
)
def test_it_is_refused(asked, answer, why):
    type(asked).answers = {2: answer}
    with pytest.raises(ConfigError, match=why):
        hand_over([NEW, OLD], "/x", {})
