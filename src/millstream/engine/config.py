"""An engine's settings, one frozen value for each concern."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import ClassVar

from millstream.config_ranges import Ranges, check_ranges
from millstream.core.config import SwarmConfig, TransferConfig
from millstream.core.goals_config import GoalsConfig
from millstream.core.limits_config import LimitsConfig
from millstream.core.queue_config import QueueConfig
from millstream.interfaces.disk import DiskConfig
from millstream.protocol.mse_keys import CryptoMethod
from millstream.storage.config import StorageConfig
from millstream.tracker.config import TrackerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Whom to listen to and how long to wait. Times are seconds.

    Attributes:
        listen_hosts: local addresses to listen at; those that the machine lacks are passed over
            as long as one is left.
        listen_port: 1 to 65535; 0 for any free port; None to accept nobody.
        max_connections: over all torrents; libtorrent's `connections_limit` is 200. Range 1 up.
        max_half_open: connection attempts at a time. Range 1 to 1000.
        max_connect_rate: connection attempts a second; libtorrent's `connection_speed` is 30,
            Transmission's 18. Range 0.1 to 10000.
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
    max_connect_rate: float = 30.0
    connect_timeout: float = 15.0
    handshake_timeout: float = 10.0
    peer_timeout: float = 130.0
    keep_alive_interval: float = 100.0

    RANGES: ClassVar[Ranges] = {
        "listen_port": (0, 65535),
        "max_connections": (1, 1_000_000),
        "max_half_open": (1, 1000),
        "max_connect_rate": (0.1, 10_000),
        "connect_timeout": (1, 300),
        "handshake_timeout": (1, 300),
        "peer_timeout": (10, 86400),
        "keep_alive_interval": (5, 120),
    }

    def __post_init__(self) -> None:
        check_ranges("network", self, self.RANGES)


class Encryption(enum.Enum):
    """Whether connections are opened by Message Stream Encryption (MSE/PE).

    MSE hides from those who watch the line that this is BitTorrent. It proves nobody's identity
    and keeps nothing from those who know the infohash.
    """

    PREFER = "prefer"
    """Accept both; connect encrypted first, and at once plainly to a peer that refuses it. So does
    Transmission. Libtorrent connects plainly first: that saves a second attempt at peers without
    MSE, and shows the infohash to the line where it need not."""
    REQUIRE = "require"
    """Neither accept nor make plain connections: some peers are out of reach."""
    DISABLE = "disable"
    """Neither accept nor make encrypted connections: costs nothing, and loads no cryptography."""


class PayloadEncryption(enum.Enum):
    """How an encrypted connection may go on after its handshake."""

    RC4 = "rc4"
    """Encrypted to the end: about a nanosecond a byte."""
    PLAINTEXT = "plaintext"
    """Only the handshake is hidden. QBittorrent neither offers nor takes that."""
    BOTH = "both"
    """Either."""


_METHODS = {
    PayloadEncryption.RC4: CryptoMethod.RC4,
    PayloadEncryption.PLAINTEXT: CryptoMethod.PLAINTEXT,
    PayloadEncryption.BOTH: CryptoMethod.RC4 | CryptoMethod.PLAINTEXT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionConfig:
    """Message Stream Encryption.

    Attributes:
        policy: whether to encrypt.
        payload: what to offer and to accept after the handshake; None for both, or for RC4 alone
            where encryption is required, as Transmission does.
        prefer_rc4: what to choose when a peer offers both. Plaintext costs nothing and sends
            straight from the cache; it is libtorrent's default, too.
    """

    policy: Encryption = Encryption.PREFER
    payload: PayloadEncryption | None = None
    prefer_rc4: bool = False

    @property
    def methods(self) -> CryptoMethod:
        """The methods that are offered and accepted."""
        if self.payload is not None:
            return _METHODS[self.payload]
        required = self.policy is Encryption.REQUIRE
        return _METHODS[PayloadEncryption.RC4 if required else PayloadEncryption.BOTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Everything an engine can be told.

    Attributes:
        network: connections.
        transfer: requests, buffers and upload slots.
        swarm: whom to connect to and whom to keep.
        disk: threads, handles and allocation.
        storage: whether the disks are there, and what is on them.
        encryption: of connections.
        limits: of the rates.
        queue: how many torrents work at the same time.
        goals: when a torrent has seeded enough.
        trackers: how to announce.
        seed: for the engine's random choices; None draws one. With a seed and in virtual time an
            engine does the same every time.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    transfer: TransferConfig = field(default_factory=TransferConfig)
    swarm: SwarmConfig = field(default_factory=SwarmConfig)
    disk: DiskConfig = field(default_factory=DiskConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    encryption: EncryptionConfig = field(default_factory=EncryptionConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    queue: QueueConfig = field(default_factory=QueueConfig)
    goals: GoalsConfig = field(default_factory=GoalsConfig)
    trackers: TrackerConfig = field(default_factory=TrackerConfig)
    seed: int | None = None
