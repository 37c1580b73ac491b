"""A tracker's settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from millstream.config_ranges import check_ranges
from millstream.errors import ConfigError
from millstream.tracker.registry import RegistryConfig

# Registered nowhere and used by everybody: opentracker's port.
DEFAULT_PORT = 6969


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerServiceConfig:
    """Where a tracker listens, and to whom.

    Attributes:
        hosts: local addresses, IPv4 and IPv6; those that the machine lacks are passed over as long
            as one is left.
        port: for HTTP and UDP alike; 0 for any that is free for both. Range 0 to 65535.
        http: whether it answers HTTP.
        udp: whether it answers UDP.
        registry: what it remembers.
        allow_ip: whether clients may name another address than their own.
        trust_forwarded: whether the last address in `X-Forwarded-For` is the client's: only behind
            a proxy that puts it there, for else anybody can.
        max_connections: HTTP connections at a time; more are closed at once. Range 1 to 100000.
        connection_time: seconds that an HTTP connection may last, whatever goes on in it: a
            request is one small packet. Range 1 to 3600.
        seed: for the choice of peers and the secret of UDP's connection ids; None draws both. With
            a seed whoever knows it can claim any address: it is for tests. (Libtorrent keeps a
            connection id by the tracker's address alone, for a minute: trackers that follow each
            other on one address are one to it, and need one secret.)
    """

    hosts: tuple[str, ...] = ("0.0.0.0", "::")  # noqa: S104 - clients come from everywhere
    port: int = DEFAULT_PORT
    http: bool = True
    udp: bool = True
    registry: RegistryConfig = field(default_factory=RegistryConfig)
    allow_ip: bool = False
    trust_forwarded: bool = False
    max_connections: int = 1000
    connection_time: float = 30.0
    seed: int | None = None

    def __post_init__(self) -> None:
        ranges = {
            "port": (0, 65535),
            "max_connections": (1, 100_000),
            "connection_time": (1, 3600),
        }
        check_ranges("tracker", self, ranges)
        if not self.hosts:
            raise ConfigError("tracker.hosts is empty")
        if not (self.http or self.udp):
            raise ConfigError("a tracker without HTTP and UDP answers nobody")
