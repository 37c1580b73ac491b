"""transmission-daemon, by its settings file and its RPC."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from .client import BITTORRENT_PORT, CONTROL_PORT, Client, Encryption, printed_version

SESSION_HEADER = "X-Transmission-Session-Id"
SEEDING = 6
ENCRYPTION = {
    Encryption.DEFAULT: 1,  # preferred
    Encryption.REQUIRED: 2,
}


class Transmission(Client):
    """transmission-daemon."""

    name = "transmission"
    program = "transmission-daemon"
    settings = frozenset(ENCRYPTION)  # 0 does not refuse encryption, it only does not begin with it

    _session = ""

    @classmethod
    def version(cls) -> str:
        printed = printed_version("transmission-daemon", "--version")
        return printed.removeprefix("transmission-daemon ")

    def is_complete(self) -> bool:
        fields = ["percentDone", "metadataPercentComplete", "status", "errorString"]
        [torrent] = self._call("torrent-get", fields=fields)["torrents"]
        return torrent["percentDone"] == 1 and torrent["status"] == SEEDING

    def _share(self, source: Path | str, directory: Path) -> None:
        settings = {
            "bind-address-ipv4": self.host.address,
            "dht-enabled": False,
            "lpd-enabled": False,
            "pex-enabled": True,
            "utp-enabled": False,
            "port-forwarding-enabled": False,
            "peer-port": BITTORRENT_PORT,
            "encryption": ENCRYPTION[self.encryption],
            "rpc-enabled": True,
            "rpc-port": CONTROL_PORT,
            "rpc-bind-address": "127.0.0.1",
            "rpc-whitelist-enabled": False,
            "rpc-host-whitelist-enabled": False,
            "rpc-authentication-required": False,
            "incomplete-dir-enabled": False,
            "download-dir": str(directory),
            # In kB/s, and a limit below its pulse of half a second times a block starves it.
            "speed-limit-up": (self.rate or 0) // 1000,
            "speed-limit-up-enabled": self.rate is not None,
            "speed-limit-down": (self.rate or 0) // 1000,
            "speed-limit-down-enabled": self.rate is not None,
        }
        (self.home / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        self._start("transmission-daemon", "--foreground", "--log-debug", "--config-dir", self.home)
        self._wait_control()
        if isinstance(source, Path):
            added = {"metainfo": base64.b64encode(source.read_bytes()).decode()}
        else:
            added = {"filename": source}
        self._call("torrent-add", **added)

    def _call(self, method: str, **arguments: object) -> Any:
        request = json.dumps({"method": method, "arguments": arguments}).encode()
        for _ in range(2):
            headers = {SESSION_HEADER: self._session}
            status, got, body = self._http("POST", "/transmission/rpc", request, headers)
            if status != HTTPStatus.CONFLICT:
                break
            # Its guard against forged requests: the first one is told the word to say.
            self._session = got[SESSION_HEADER]
        answer = json.loads(body)
        if answer["result"] != "success":
            raise self.error(f"{method}: {answer['result']}")
        return answer["arguments"]
