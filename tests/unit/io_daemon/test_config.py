from __future__ import annotations

import pytest

from millstream.errors import ConfigError
from millstream.io_daemon.config import IoDaemonConfig

TOKEN = "0123456789" * 2


def test_by_default_only_this_machine_reaches_it():
    config = IoDaemonConfig(token=TOKEN)
    assert (config.host, config.port, config.is_loopback) == ("127.0.0.1", 0, True)
    assert not IoDaemonConfig(token=TOKEN, host="::").is_loopback
    assert IoDaemonConfig(token=TOKEN, host=None, unix_socket="/run/x").is_loopback


def test_the_token_is_shown_nowhere():
    assert TOKEN not in repr(IoDaemonConfig(token=TOKEN))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"token": "short"}, "token"),
        ({"token": "a b" * 10}, "token"),
        ({"token": "é" * 20}, "token"),
        ({"token": "x" * 1025}, "token"),
        ({"port": 65536}, "port"),
        ({"port": -1}, "port"),
        ({"host": "localhost"}, "host"),
        ({"host": None}, "unix_socket"),
        ({"origins": ("app.example",)}, "origins"),
        ({"origins": ("https://app.example/",)}, "origins"),
        ({"parent_pid": 0}, "parent_pid"),
    ],
)
def test_what_does_not_fit(changes, name):
    with pytest.raises(ConfigError, match=f"io_daemon.{name}"):
        IoDaemonConfig(**{"token": TOKEN} | changes)
