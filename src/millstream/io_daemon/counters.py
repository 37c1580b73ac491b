"""What the daemon lends at the moment, and how much went through: `GET /stats`."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Counters:
    """Counted by whoever does it.

    Attributes:
        tcp_sockets: connected.
        pending_connects: on their way.
        pending_tcp: connected, and not read from because nobody asked yet.
        udp_sockets: bound.
        tcp_servers: listening.
        ws_connections: clients at `/io`, authenticated or not.
        bytes_sent: to peers.
        bytes_received: from peers.
        batches: of writes, reads and hashes.
        jobs: in those.
        bytes_written: that batches brought to be written.
    """

    tcp_sockets: int = 0
    pending_connects: int = 0
    pending_tcp: int = 0
    udp_sockets: int = 0
    tcp_servers: int = 0
    ws_connections: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    batches: int = 0
    jobs: int = 0
    bytes_written: int = 0

    def view(self, uptime: float) -> dict[str, int]:
        """As clients see it."""
        return asdict(self) | {"uptime_secs": int(uptime)}
