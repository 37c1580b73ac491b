"""What the matrix asks of every client, whoever made it."""

from __future__ import annotations

import enum
import http.client
import re
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from .namespaces import Host, stop, until

BITTORRENT_PORT = 6881
CONTROL_PORT = 8000  # of the client's own remote control, on its loopback
CONTROL_SECONDS = 20.0
LOG_LINES = 40
POLL_SECONDS = 0.1


class Encryption(enum.Enum):
    """What a client is told about Message Stream Encryption."""

    DEFAULT = "default"  # left as the client comes, but both ways work
    REQUIRED = "required"  # RC4, nothing else
    OBFUSCATED = "obfuscated"  # an encrypted handshake, but the rest in plaintext
    DISABLED = "disabled"  # refused from others, too


class ClientError(Exception):
    """A client failed; carries the end of its log."""


class Client(ABC):
    """One client on its own host, with at most one torrent.

    Args:
        host: where it runs.
        home: its own directory: settings, state and log.
        encryption: what it is told.
        rate: bytes a second, up and down; None for no limit.

    Attributes:
        address: where it listens for peers.
        peers: whom it connects to of itself, if set before the start and it is able to.
        log: the file with what it says.
    """

    name: ClassVar[str]
    program: ClassVar[str]
    settings: ClassVar[frozenset[Encryption]] = frozenset(Encryption)  # what it can be told
    environment: ClassVar[Mapping[str, str]] = {}
    noise: ClassVar[re.Pattern[str]] = re.compile("^$")  # lines of its log that say nothing

    def __init__(
        self,
        host: Host,
        home: Path,
        *,
        encryption: Encryption = Encryption.DEFAULT,
        rate: int | None = None,
    ) -> None:
        self.host = host
        self.home = home
        self.encryption = encryption
        self.rate = rate
        self.address = f"{host.address}:{BITTORRENT_PORT}"
        self.log = home / "log"
        self.peers: Sequence[str] = ()
        self._running: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True)

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be run here; empty if it can."""
        return "" if shutil.which(cls.program) else f"{cls.program} is not installed"

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """As the client says it."""

    def seed(self, torrent: Path, directory: Path) -> None:
        """Start it with a torrent whose files are in the directory."""
        self._share(torrent, directory)

    def leech(self, source: Path | str, directory: Path) -> None:
        """Start it with a .torrent, or with a magnet link, and an empty directory."""
        self._share(source, directory)

    @abstractmethod
    def _share(self, source: Path | str, directory: Path) -> None:
        """Start it; it looks for itself what is in the directory."""

    @abstractmethod
    def is_complete(self) -> bool:
        """Whether it has, and has checked, all of the torrent."""

    def wait_complete(self, seconds: float, *others: Client) -> None:
        """Wait until it has everything.

        Raises:
            ClientError: it or one of the others ended, or it takes longer.
        """
        begun = time.monotonic()

        def complete() -> bool:
            return all(one.check_alive() for one in (self, *others)) and self.is_complete()

        if not until(complete, seconds, POLL_SECONDS):
            raise self.error(f"not complete after {time.monotonic() - begun:.0f} s")

    def stop(self) -> None:
        """End it, and see it gone."""
        if self._running is not None:
            stop(self._running)

    def error(self, what: str) -> ClientError:
        """An error that shows the end of the log."""
        return ClientError(f"{self.name}: {what}; its log ends:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines of the log."""
        if not self.log.exists():
            return ""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        lines = [line for line in lines if not self.noise.search(line)]
        return "\n".join(f"    {line[:400]}" for line in lines[-LOG_LINES:])

    def _start(self, *command: str | Path) -> None:
        environment = {"HOME": str(self.home), "LC_ALL": "C.UTF-8", **self.environment}
        self._running = self.host.start(command, self.log, environment)

    def check_alive(self) -> bool:
        """Raise ClientError if it ended; else true."""
        if self._running is None or self._running.poll() is not None:
            code = self._running and self._running.returncode
            raise self.error(f"it ended with code {code}")
        return True

    def _wait_control(self) -> None:
        """Wait until its remote control answers."""

        def answers() -> bool:
            self.check_alive()
            try:
                self.host.connect(CONTROL_PORT).close()
            except OSError:
                return False
            return True

        if not until(answers, CONTROL_SECONDS):
            raise self.error("its remote control does not answer")

    def _http(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """One request to its remote control."""
        connection = http.client.HTTPConnection("127.0.0.1", CONTROL_PORT)
        connection.sock = self.host.connect(CONTROL_PORT)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()


def printed_version(*command: str) -> str:
    """The first line with a digit that a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    lines = (done.stdout + done.stderr).splitlines()
    return next((line.strip() for line in lines if any(map(str.isdigit, line))), "unknown")
