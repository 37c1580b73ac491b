"""Millstream's own command line, driven as the foreign clients are."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from pathlib import Path

from .client import BITTORRENT_PORT, Client, Encryption

ALLOW_LOCAL = "--allow-local"  # trackers here have addresses of private networks

ENCRYPTION: dict[Encryption, tuple[str, ...]] = {
    Encryption.DEFAULT: (),
    Encryption.REQUIRED: ("--encryption", "require"),
    Encryption.DISABLED: ("--encryption", "disable"),
}


class Millstream(Client):
    """Millstream."""

    name = "millstream"
    program = sys.executable
    noise = re.compile('^{"event": "progress"')

    @classmethod
    def version(cls) -> str:
        from millstream import __version__

        return __version__

    def seed(self, torrent: Path, directory: Path) -> None:
        self._run("seed", torrent, directory)

    def _share(self, source: Path | str, directory: Path) -> None:
        self._run("download", source, directory, "--seed")

    def is_complete(self) -> bool:
        return any(each["event"] == "seeding" for each in self._events())

    @property
    def has_uploaded(self) -> bool:
        """Whether anybody got anything from it."""
        return any(each.get("uploaded") for each in self._events())

    def _run(self, command: str, source: Path | str, directory: Path, *more: str) -> None:
        limits = (
            ()
            if self.rate is None
            else ("--limit-up", f"{self.rate}", "--limit-down", f"{self.rate}")
        )
        self._start(
            *(sys.executable, "-m", "millstream", "--debug", command, source, "--json"),
            *("--output", directory, "--port", str(BITTORRENT_PORT)),
            *(word for peer in self.peers for word in ("--peer", peer)),
            *([ALLOW_LOCAL] if ALLOW_LOCAL in usage(command) else []),
            *ENCRYPTION[self.encryption],
            *limits,
            *more,
        )

    def _events(self) -> list[dict[str, object]]:
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


@functools.cache
def usage(command: str) -> str:
    """The help of a command."""
    words = [sys.executable, "-m", "millstream", command, "--help"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
