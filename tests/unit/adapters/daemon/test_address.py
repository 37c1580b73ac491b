from __future__ import annotations

import socket

import pytest

from millstream.adapters.daemon.address import DaemonAddress

SECRET = "secret" * 2


@pytest.mark.parametrize(
    ("fields", "text", "host"),
    [
        ({"port": 80}, "127.0.0.1:80", "127.0.0.1:80"),
        ({"host": "::1", "port": 80}, "[::1]:80", "[::1]:80"),
        ({"host": "nas.example", "port": 80}, "nas.example:80", "nas.example:80"),
        ({"unix_socket": "/run/x"}, "/run/x", "localhost"),
    ],
)
def test_it_is_named(fields, text, host):
    address = DaemonAddress(token=SECRET, **fields)
    assert str(address) == text
    assert address.http_host == host


def test_a_socket_that_is_connected():
    one, other = socket.socketpair()
    with one, other:
        address = DaemonAddress(token=SECRET, connected=one)
        assert "socket" in str(address)
        assert address.http_host == "localhost"


def test_the_token_is_not_shown():
    assert SECRET not in repr(DaemonAddress(token=SECRET, port=1))
