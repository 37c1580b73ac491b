"""The settings of the service's own parts, one frozen value for each concern."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from millstream.config_ranges import Ranges, check_ranges
from millstream.errors import ConfigError
from millstream.logging.components import COMPONENTS, parse_level
from millstream.service.occasion import Occasion
from millstream.service.template import check_template

_EVENTS = tuple([occasion.value for occasion in Occasion])


class AfterAdding(enum.Enum):
    """What becomes of a file in a watch folder once its torrent is in the engine."""

    RENAME = "rename"
    """It gets `.added` behind its name; Transmission's habit, and it can be undone."""
    DELETE = "delete"
    """It is deleted. The torrent stays known: the session has its metainfo."""
    MOVE = "move"
    """It is moved to another folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchConfig:
    """A folder in which `.torrent` and `.magnet` files appear; one table each, `[watch.NAME]`.

    Attributes:
        folder: the folder; what is below its own folders is not looked at. It must be absolute.
        after: what becomes of a file once its torrent was added.
        move_to: the folder for files that were added, if `after` is "move". It must be absolute.
        save_path: the directory under which the files of these torrents go; None: where all
            torrents go. It must be absolute.
        root: the storage root of these torrents, by its token or label; None for none.
        paused: whether the torrents wait to be resumed.
        sequential: whether the torrents' pieces are fetched in order.
        interval: seconds between looks. Range 0.1 to 86400.
    """

    folder: str
    after: AfterAdding = AfterAdding.RENAME
    move_to: str | None = None
    save_path: str | None = None
    root: str | None = None
    paused: bool = False
    sequential: bool = False
    interval: float = 5.0

    RANGES: ClassVar[Ranges] = {"interval": (0.1, 86400)}

    def __post_init__(self) -> None:
        check_ranges("watch", self, self.RANGES)
        for name in ("folder", "move_to", "save_path"):
            _check_absolute(f"watch.{name}", getattr(self, name))
        if (self.after is AfterAdding.MOVE) is (self.move_to is None):
            raise ConfigError('watch.move_to must be set if watch.after is "move", and only then')
        if self.move_to is not None and _is_same(self.move_to, self.folder):
            raise ConfigError("watch.move_to is watch.folder itself; it must be another folder")
        if self.save_path is not None and self.root is not None:
            raise ConfigError("watch.save_path and watch.root say both where torrents go")


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksConfig:
    """Programs to run when something happens to a torrent: a list of the program and its arguments.

    There is no shell: each argument reaches the program as it is, with what stands in braces
    replaced. docs/service.md lists what may stand there, and the environment the program gets.

    Attributes:
        added: when a torrent was added.
        completed: when the last wanted piece of a torrent was verified.
        error: when a torrent stopped because of an error.
        removed: when a torrent was removed.
        timeout: seconds after which a program that still runs is ended. Range 1 to 86400.
        max_running: programs that run at once; others wait. Range 1 to 64.
    """

    added: tuple[str, ...] = ()
    completed: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    timeout: float = 60.0
    max_running: int = 4

    RANGES: ClassVar[Ranges] = {"timeout": (1, 86400), "max_running": (1, 64)}

    def __post_init__(self) -> None:
        check_ranges("hooks", self, self.RANGES)
        for occasion in Occasion:
            command = self.command(occasion)
            if command and not command[0]:
                raise ConfigError(f"hooks.{occasion.value} names no program")
            for argument in command:
                check_template(f"hooks.{occasion.value}", argument)

    def command(self, occasion: Occasion) -> tuple[str, ...]:
        """The program and its arguments; empty for none."""
        command: tuple[str, ...] = getattr(self, occasion.value)
        return command


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhooksConfig:
    """Web addresses that are told, by a POST of JSON, when something happens to a torrent.

    Attributes:
        urls: whom to tell, `http://` or `https://`; local addresses are allowed.
        events: on which occasions: "added", "completed", "error", "removed".
        secret: what signs the POSTs (HMAC-SHA256); empty for no signature.
        timeout: seconds for an answer. Range 0.1 to 300.
        max_attempts: how often one is tried before it is given up. Range 1 to 20.
    """

    urls: tuple[str, ...] = ()
    events: tuple[str, ...] = _EVENTS
    secret: str = field(default="", repr=False)
    timeout: float = 10.0
    max_attempts: int = 6

    RANGES: ClassVar[Ranges] = {"timeout": (0.1, 300), "max_attempts": (1, 20)}
    SECRETS: ClassVar[frozenset[str]] = frozenset({"secret"})

    def __post_init__(self) -> None:
        check_ranges("webhooks", self, self.RANGES)
        for number, url in enumerate(self.urls, 1):
            if not _is_web_address(url):
                # Not shown: many services let in whoever knows the address.
                raise ConfigError(
                    f"webhooks.urls, number {number}, is no URL; it must begin with http:// or "
                    "https:// and name a host"
                )
        for event in self.events:
            if event not in _EVENTS:
                names = ", ".join([f'"{known}"' for known in _EVENTS])
                raise ConfigError(f"webhooks.events has {event!r}; it must be some of {names}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """How much the daemon logs; the options `--log-level` go over it.

    Attributes:
        level: from which level on: "debug", "info", "warning" or "error"; None: as the options say.
        components: levels of single components, such as "peer=debug".
    """

    level: str | None = None
    components: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.level is not None:
            _check_level("log.level", self.level)
        for text in self.components:
            component, equals, level = text.partition("=")
            if not equals or component not in COMPONENTS:
                names = ", ".join(COMPONENTS)
                raise ConfigError(
                    f"log.components has {text!r}; it must be COMPONENT=LEVEL, of {names}"
                )
            _check_level("log.components", level)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonConfig:
    """Where a daemon is controlled, and where it puts things; its options go over these.

    Attributes:
        host: the local address at which it is controlled; others than loopback need a token.
        port: for control; 0 for any free one. Clients are told another than 6868 by
            `$MILLSTREAM_DAEMON`. Range 0 to 65535.
        token_file: the file with the token that clients must bring, made if it is not there; None:
            everybody on this machine is let in. It must be absolute.
        allow_hosts: names by which clients reach this machine, besides its addresses.
        output: the directory for torrents that name no other place; None: where the daemon was
            started. It must be absolute.
        session: the file in which torrents are remembered; None: one in the user's state directory.
            It must be absolute.
    """

    host: str = "127.0.0.1"
    port: int = 6868
    token_file: str | None = None
    allow_hosts: tuple[str, ...] = ()
    output: str | None = None
    session: str | None = None

    RANGES: ClassVar[Ranges] = {"port": (0, 65535)}

    def __post_init__(self) -> None:
        check_ranges("daemon", self, self.RANGES)
        try:
            ip_address(self.host)
        except ValueError:
            raise ConfigError(
                f"daemon.host is {self.host!r}; it must be an IPv4 or IPv6 address"
            ) from None
        for name in ("token_file", "output", "session"):
            _check_absolute(f"daemon.{name}", getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """Everything a daemon can be told beside its engine.

    Attributes:
        daemon: where it is controlled, and where it puts things.
        log: how much is logged.
        watch: folders in which torrents appear, by names of the user's.
        hooks: programs to run.
        webhooks: web addresses to tell.
    """

    daemon: DaemonConfig = field(default_factory=DaemonConfig)
    log: LogConfig = field(default_factory=LogConfig)
    watch: Mapping[str, WatchConfig] = field(default_factory=dict)
    hooks: HooksConfig = field(default_factory=HooksConfig)
    webhooks: WebhooksConfig = field(default_factory=WebhooksConfig)

    def __post_init__(self) -> None:
        folders: dict[str, str] = {}
        for name, watch in self.watch.items():
            other = folders.setdefault(os.path.normpath(local_path(watch.folder)), name)
            if other != name:
                raise ConfigError(f"watch.{name}.folder is that of watch.{other}, too")


def local_path(path: str) -> Path:
    """A path of the settings, with `~` for the user's home directory."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # nobody has that home
        return Path(path)


def _is_same(one: str, other: str) -> bool:
    return os.path.normpath(local_path(one)) == os.path.normpath(local_path(other))


def _check_absolute(setting: str, path: str | None) -> None:
    if path is not None and ("\0" in path or not local_path(path).is_absolute()):
        raise ConfigError(f"{setting} is {path!r}; it must be an absolute path")


def _check_level(setting: str, level: str) -> None:
    try:
        parse_level(level)
    except ConfigError as error:
        raise ConfigError(f"{setting}: {error}") from None


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
