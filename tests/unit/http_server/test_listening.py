from __future__ import annotations

import pytest

from millstream.errors import NetworkError
from millstream.http_server.listening import bind_tcp, url_host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port(host):
    with bind_tcp(host, 0, 5, "we cannot listen") as listening:
        port = listening.getsockname()[1]
        assert port
        with pytest.raises(NetworkError, match=f"^we cannot listen at {host} port {port}: "):
            bind_tcp(host, port, 5, "we cannot listen")


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - not bound
        ("::", "[::1]"),
        ("192.0.2.1", "192.0.2.1"),
        ("fd00::1", "[fd00::1]"),
    ],
)
def test_url_host(host, named):
    assert url_host(host) == named
