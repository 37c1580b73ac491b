"""aria2c, one process with one torrent, watched over JSON-RPC."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from .client import BITTORRENT_PORT, CONTROL_PORT, Client, Encryption, printed_version

ENCRYPTION: dict[Encryption, tuple[str, ...]] = {
    Encryption.DEFAULT: (),
    # The one makes it refuse and skip the plain handshake, the other the plain payload.
    Encryption.REQUIRED: ("--bt-require-crypto=true", "--bt-min-crypto-level=arc4"),
}


class Aria2(Client):
    """aria2c."""

    name = "aria2"
    program = "aria2c"
    settings = frozenset(ENCRYPTION)  # it can refuse neither MSE nor RC4
    noise = re.compile(r"^$|rpc|RPC|Http(Server|Listen)|^(POST|Host|Accept|Content-Length)")

    @classmethod
    def version(cls) -> str:
        return printed_version("aria2c", "--version").removeprefix("aria2 version ")

    def is_complete(self) -> bool:
        active = self._call("aria2.tellActive", ["seeder", "totalLength"])
        return any(each.get("seeder") == "true" and int(each["totalLength"]) for each in active)

    def _share(self, source: Path | str, directory: Path) -> None:
        rate = str(self.rate or 0)
        self._start(
            "aria2c",
            "--no-conf=true",
            f"--stop-with-process={os.getpid()}",
            "--enable-rpc=true",
            f"--rpc-listen-port={CONTROL_PORT}",
            # Without its DHT it speaks to no UDP tracker; with no entry point it finds nobody there.
            "--enable-dht=true",
            f"--dht-listen-port={BITTORRENT_PORT}",
            f"--dht-file-path={self.home}/dht.dat",
            "--enable-dht6=false",
            "--bt-enable-lpd=false",
            f"--listen-port={BITTORRENT_PORT}",
            "--seed-ratio=0.0",
            "--file-allocation=none",
            f"--max-overall-upload-limit={rate}",
            f"--max-overall-download-limit={rate}",
            f"--dir={directory}",
            f"--log={self.log}",
            "--log-level=info",
            "--quiet=true",
            *ENCRYPTION[self.encryption],
            # Whole files are seeded, what is missing is fetched.
            "--check-integrity=true",
            str(source),
        )
        self._wait_control()

    def _call(self, method: str, *parameters: object) -> Any:
        request = {"jsonrpc": "2.0", "id": 0, "method": method, "params": parameters}
        _, _, body = self._http("POST", "/jsonrpc", json.dumps(request).encode(), {})
        answer = json.loads(body)
        if "error" in answer:
            raise self.error(f"{method}: {answer['error']}")
        return answer["result"]
