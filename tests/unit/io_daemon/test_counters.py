from __future__ import annotations

from millstream.io_daemon.counters import Counters


def test_the_originals_names():
    view = Counters(tcp_sockets=2, bytes_sent=7).view(3.9)
    assert view["tcp_sockets"] == 2
    assert view["bytes_sent"] == 7
    assert view["uptime_secs"] == 3
    assert {"pending_connects", "pending_tcp", "udp_sockets", "tcp_servers"} <= set(view)
    assert {"ws_connections", "bytes_received"} <= set(view)
