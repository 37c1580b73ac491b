"""`millstream tracker` on a host of its own, by which all swarms of the matrix are found."""

from __future__ import annotations

import sys
import urllib.parse
from http import client
from pathlib import Path

from millstream.protocol.bencode import decode

from .namespaces import Host, until

PORT = 6969
DEAD_PORT = 9  # nothing listens there: announces are refused at once
START_SECONDS = 20.0


class Tracker:
    """A running tracker.

    Args:
        host: where it runs.
        log: the file for what it prints.
    """

    def __init__(self, host: Host, log: Path) -> None:
        self._host = host
        self._log = log
        self.http_url = f"http://{host.address}:{PORT}/announce"
        self.udp_url = f"udp://{host.address}:{PORT}/announce"
        self.dead_url = f"http://{host.address}:{DEAD_PORT}/announce"
        host.start([sys.executable, "-m", "millstream", "tracker", "--port", str(PORT)], log)
        if not until(self._answers, START_SECONDS):
            raise OSError(f"the tracker does not start: {log.read_text(encoding='utf-8')}")

    def seeders(self, info_hash: bytes) -> int:
        """How many peers told it that they have everything."""
        files = self._scrape(info_hash).get(b"files", {})
        return files.get(info_hash, {}).get(b"complete", 0)

    def _answers(self) -> bool:
        try:
            self._scrape(bytes(20))
        except OSError:
            return False
        return True

    def _scrape(self, info_hash: bytes) -> dict:
        connection = client.HTTPConnection("127.0.0.1", PORT)
        connection.sock = self._host.connect(PORT)
        try:
            connection.request("GET", f"/scrape?info_hash={urllib.parse.quote(info_hash, safe='')}")
            return decode(connection.getresponse().read())
        finally:
            connection.close()
