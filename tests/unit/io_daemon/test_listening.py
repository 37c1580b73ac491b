from __future__ import annotations

import socket
import stat

import pytest

from millstream.errors import NetworkError
from millstream.io_daemon.listening import bind_unix, remove_unix


def test_a_path_is_for_this_user_alone(tmp_path):
    path = tmp_path / "s"
    with bind_unix(path, 5):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(NetworkError, match="listens at"):
            bind_unix(path, 5)
    remove_unix(path)
    remove_unix(path)


def test_what_a_dead_daemon_left_is_taken_away(tmp_path):
    path = tmp_path / "s"
    bind_unix(path, 5).close()
    with bind_unix(path, 5), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_what_is_no_socket_stays(tmp_path):
    (tmp_path / "s").write_bytes(b"mine")
    with pytest.raises(NetworkError, match="cannot listen"):
        bind_unix(tmp_path / "s", 5)
    assert (tmp_path / "s").read_bytes() == b"mine"
    with pytest.raises(NetworkError, match="cannot listen"):
        bind_unix(tmp_path / "none" / "s", 5)
