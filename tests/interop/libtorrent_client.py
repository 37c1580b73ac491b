"""libtorrent from PyPI in a process of its own, on its own host."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .client import BITTORRENT_PORT, Client

SCRIPT = Path(__file__).with_name("libtorrent_program.py")


class Libtorrent(Client):
    """libtorrent, the library that several clients are made with."""

    name = "libtorrent"
    program = sys.executable
    plugins = True  # without them it neither tells of peers (PEX) nor listens to who does

    @classmethod
    def version(cls) -> str:
        import libtorrent

        return str(libtorrent.version)

    def is_complete(self) -> bool:
        return (self.home / "complete").exists()

    @property
    def has_uploaded(self) -> bool:
        """Whether anybody got anything from it."""
        return (self.home / "uploaded").exists()

    def _share(self, source: Path | str, directory: Path) -> None:
        order = {
            "source": str(source),
            "directory": str(directory),
            "listen": f"{self.host.address}:{BITTORRENT_PORT}",
            "encryption": self.encryption.value,
            "rate": self.rate or 0,
            "complete": str(self.home / "complete"),
            "uploaded": str(self.home / "uploaded"),
            "peers": list(self.peers),
            "plugins": self.plugins,
        }
        self._start(sys.executable, SCRIPT, json.dumps(order))
