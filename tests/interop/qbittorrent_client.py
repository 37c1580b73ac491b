"""qbittorrent-nox, by its configuration file and its WebAPI v2."""

from __future__ import annotations

import json
import urllib.parse
from http import HTTPStatus
from pathlib import Path

from .client import BITTORRENT_PORT, CONTROL_PORT, Client, Encryption, printed_version

BOUNDARY = "millstream-interop"
ENCRYPTION = {Encryption.DEFAULT: 0, Encryption.REQUIRED: 1, Encryption.DISABLED: 2}

# The legal notice is accepted, and the WebUI asks nobody on its own host for a password.
CONFIGURATION = """\
[LegalNotice]
Accepted=true

[BitTorrent]
Session\\Port={port}
Session\\DHTEnabled=false
Session\\LSDEnabled=false
Session\\PeXEnabled=true
Session\\Encryption={encryption}
Session\\QueueingSystemEnabled=false
Session\\AddTorrentStopped=false
Session\\Preallocation=false
Session\\GlobalUPSpeedLimit={rate}
Session\\GlobalDLSpeedLimit={rate}

[Network]
PortForwardingEnabled=false

[Preferences]
General\\Locale=en
WebUI\\Address=127.0.0.1
WebUI\\Port={control}
WebUI\\LocalHostAuth=false
WebUI\\CSRFProtection=false
WebUI\\HostHeaderValidation=false
WebUI\\UseUPnP=false
"""


class QBittorrent(Client):
    """qbittorrent-nox."""

    name = "qbittorrent"
    program = "qbittorrent-nox"
    settings = frozenset(ENCRYPTION)

    @classmethod
    def version(cls) -> str:
        return printed_version("qbittorrent-nox", "--version").removeprefix("qBittorrent v")

    def is_complete(self) -> bool:
        torrents = json.loads(self._get("/api/v2/torrents/info"))
        return bool(torrents) and torrents[0]["state"] in {"uploading", "stalledUP", "forcedUP"}

    def _share(self, source: Path | str, directory: Path) -> None:
        configuration = self.home / "qBittorrent" / "config" / "qBittorrent.conf"
        configuration.parent.mkdir(parents=True)
        configuration.write_text(
            CONFIGURATION.format(
                port=BITTORRENT_PORT,
                control=CONTROL_PORT,
                encryption=ENCRYPTION[self.encryption],
                rate=(self.rate or 0) // 1024,
            ),
            encoding="utf-8",
        )
        self.log.touch()
        self._start("qbittorrent-nox", f"--profile={self.home}")
        self._wait_control()
        fields = {"savepath": str(directory), "contentLayout": "Original"}
        if isinstance(source, str):
            self._post("/api/v2/torrents/add", {"urls": source, **fields})
        else:
            self._post("/api/v2/torrents/add", fields, source.read_bytes())

    def log_tail(self) -> str:
        written = self.home / "qBittorrent" / "data" / "logs" / "qbittorrent.log"
        if written.exists():
            lines = written.read_text(encoding="utf-8", errors="replace").splitlines()
            return "\n".join([super().log_tail(), *(f"    {line}" for line in lines[-40:])])
        return super().log_tail()

    def _get(self, path: str, **query: str) -> bytes:
        status, _, body = self._http("GET", f"{path}?{urllib.parse.urlencode(query)}", b"", {})
        if status != HTTPStatus.OK:
            raise self.error(f"{path}: {status}")
        return body

    def _post(self, path: str, fields: dict[str, str], torrent: bytes | None = None) -> None:
        """A form, as a browser would send it, with the file of a torrent if any."""
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        body = "".join(parts).encode()
        if torrent is not None:
            head = (
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="torrents"; '
                'filename="a.torrent"\r\nContent-Type: application/x-bittorrent\r\n\r\n'
            )
            body += head.encode() + torrent + b"\r\n"
        body += f"--{BOUNDARY}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        status, _, answer = self._http("POST", path, body, headers)
        if status != HTTPStatus.OK or answer == b"Fails.":
            raise self.error(f"{path}: {status} {answer!r}")
