"""The settings of the control server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import ip_address

from millstream.errors import ConfigError

# Where clients look first. Nobody has it at IANA, and no BitTorrent client takes it.
DEFAULT_PORT = 6868

# 16 characters of an alphabet of 64 are 96 bits: guessing them over HTTP is hopeless.
MIN_TOKEN_LENGTH = 16
# What fits into a header beside everything else (`server.MAX_HEADER_LENGTH`).
MAX_TOKEN_LENGTH = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlConfig:
    """Where to be controlled from, and by whom.

    Attributes:
        host: the local address to listen at; anything but loopback needs a token.
        port: 0 to 65535; 0 for any free port.
        token: what every request must bring; None lets in everybody on this machine.
        allowed_hosts: names by which the server is reached, besides `localhost` and addresses.
        save_path: where torrents are stored that are added without a path of their own.
        session: the file in which torrents are remembered (`create_native_engine`); None for none.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    save_path: str | os.PathLike[str] = "."
    session: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"control.port is {self.port}; it must be 0 to 65535")
        try:
            ip_address(self.host)
        except ValueError:
            raise ConfigError(
                f"control.host is {self.host!r}; it must be an IPv4 or IPv6 address"
            ) from None
        if self.token is None:
            if not self.is_loopback:
                raise ConfigError(
                    f"control.host is {self.host}, which others can reach: control.token must be set"
                )
        elif not (
            MIN_TOKEN_LENGTH <= len(self.token) <= MAX_TOKEN_LENGTH
            and self.token.isascii()
            and self.token.isprintable()
            and " " not in self.token
        ):
            raise ConfigError(
                f"control.token must be {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH} ASCII characters "
                "without spaces"
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ip_address(self.host).is_loopback
