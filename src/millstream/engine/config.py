"""An engine's settings, one frozen value for each concern."""

from __future__ import annotations

from dataclasses import dataclass, field

from millstream.core.config import TransferConfig
from millstream.errors import ConfigError
from millstream.interfaces.disk import DiskConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Whom to listen to and how long to wait. Times are seconds.

    Attributes:
        listen_hosts: local addresses to listen at; those that the machine lacks are passed over
            as long as one is left.
        listen_port: 1 to 65535; 0 for any free port; None to accept nobody.
        max_connections: over all torrents; libtorrent's `connections_limit` is 200. Range 1 up.
        max_half_open: connection attempts at a time. Range 1 to 1000.
        connect_timeout: for the connection to come about; libtorrent's `peer_connect_timeout`
            is 15. Range 1 to 300.
        handshake_timeout: for the handshake; libtorrent 10, rain 5. Range 1 to 300.
        peer_timeout: a peer that sends nothing for so long is dropped. BEP 3 has a message every
            two minutes; libtorrent's `peer_timeout` is 120. Range 10 up.
        keep_alive_interval: we send something at least so often; BEP 3 says two minutes,
            Transmission 100 s. Range 5 to 120.
    """

    listen_hosts: tuple[str, ...] = ("0.0.0.0", "::")  # noqa: S104 - peers come from everywhere
    listen_port: int | None = 0
    max_connections: int = 200
    max_half_open: int = 30
    connect_timeout: float = 15.0
    handshake_timeout: float = 10.0
    peer_timeout: float = 130.0
    keep_alive_interval: float = 100.0

    def __post_init__(self) -> None:
        if self.listen_port is not None and not 0 <= self.listen_port <= 65535:
            raise ConfigError(f"network.listen_port is {self.listen_port}; it must be 0 to 65535")
        for name, low, high in (
            ("max_connections", 1, 1_000_000),
            ("max_half_open", 1, 1000),
            ("connect_timeout", 1, 300),
            ("handshake_timeout", 1, 300),
            ("peer_timeout", 10, 86400),
            ("keep_alive_interval", 5, 120),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"network.{name} is {value}; it must be {low} to {high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Everything an engine can be told.

    Attributes:
        network: connections.
        transfer: requests, buffers and upload slots.
        disk: threads, handles and allocation.
        seed: for the engine's random choices; None draws one. With a seed and in virtual time an
            engine does the same every time.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    transfer: TransferConfig = field(default_factory=TransferConfig)
    disk: DiskConfig = field(default_factory=DiskConfig)
    seed: int | None = None
