"""The settings of the io-daemon."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from ipaddress import ip_address

from millstream.errors import ConfigError
from millstream.interfaces.disk import DiskConfig
from millstream.storage.roots import StorageRoot

# As for the control server: 96 bits at least, and what fits into a header.
MIN_TOKEN_LENGTH = 16
MAX_TOKEN_LENGTH = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class IoDaemonConfig:
    """What is lent, where, and to whom.

    Attributes:
        token: what every client must bring.
        host: the local address to listen at; None for none.
        port: 0 to 65535; 0 for any free port.
        unix_socket: a path to listen at as well, for this machine's user alone; None for none.
        roots: the directories that are lent.
        rpc_info: a file that names further directories, and the browser's extension that may ask;
            None for none.
        install_id: whose part of that file it is.
        origins: sites whose pages may ask, such as `https://app.example`.
        allowed_hosts: names by which the daemon is reached, besides `localhost` and addresses.
        parent_pid: the process with which the daemon ends; None for none.
        disk: threads, and handles kept open.
    """

    token: str = field(repr=False)
    host: str | None = "127.0.0.1"
    port: int = 0
    unix_socket: str | os.PathLike[str] | None = None
    roots: tuple[StorageRoot, ...] = ()
    rpc_info: str | os.PathLike[str] | None = None
    install_id: str = ""
    origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    parent_pid: int | None = None
    disk: DiskConfig = field(default_factory=DiskConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"io_daemon.port is {self.port}; it must be 0 to 65535")
        if self.host is None and self.unix_socket is None:
            raise ConfigError("io_daemon.host must be set if there is no io_daemon.unix_socket")
        try:
            ip_address(self.host or "127.0.0.1")
        except ValueError:
            raise ConfigError(
                f"io_daemon.host is {self.host!r}; it must be an IPv4 or IPv6 address"
            ) from None
        for origin in self.origins:
            if "://" not in origin or origin.endswith("/"):
                raise ConfigError(
                    f"io_daemon.origins has {origin!r}; a site is scheme, :// and host, no more"
                )
        if self.parent_pid is not None and self.parent_pid < 1:
            raise ConfigError(f"io_daemon.parent_pid is {self.parent_pid}; no process has it")
        if not (
            MIN_TOKEN_LENGTH <= len(self.token) <= MAX_TOKEN_LENGTH
            and self.token.isascii()
            and self.token.isprintable()
            and " " not in self.token
        ):
            raise ConfigError(
                f"io_daemon.token must be {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH} ASCII characters "
                "without spaces"
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host is None or ip_address(self.host).is_loopback
