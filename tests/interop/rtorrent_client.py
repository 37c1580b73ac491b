"""rtorrent without its terminal (`system.daemon`), by rtorrent.rc and XML-RPC over SCGI."""

from __future__ import annotations

import xmlrpc.client
from pathlib import Path
from typing import Any, ClassVar

from .client import BITTORRENT_PORT, CONTROL_PORT, Client, Encryption, printed_version

ENCRYPTION = {
    Encryption.DEFAULT: "allow_incoming,try_outgoing,enable_retry",
    Encryption.REQUIRED: "require,require_RC4,allow_incoming,try_outgoing",
    Encryption.DISABLED: "none",
}

CONFIGURATION = """\
system.daemon.set = true
session.path.set = "{home}/session"
directory.default.set = "{directory}"
network.port_range.set = {port}-{port}
network.port_random.set = no
network.scgi.open_port = "127.0.0.1:{control}"
dht.mode.set = disable
protocol.pex.set = yes
protocol.encryption.set = {encryption}
trackers.use_udp.set = yes
throttle.global_up.max_rate.set = {rate}
throttle.global_down.max_rate.set = {rate}
log.open_file = "log", "{home}/log"
log.add_output = "info", "log"
log.add_output = "tracker_info", "log"
log.add_output = "torrent_info", "log"
log.add_output = "connection_info", "log"
log.add_output = "peer_info", "log"
log.add_output = "protocol_metadata_events", "log"
"""


class RTorrent(Client):
    """rtorrent."""

    name = "rtorrent"
    program = "rtorrent"
    settings = frozenset(ENCRYPTION)  # it may prefer a plain payload, but not refuse RC4
    environment: ClassVar[dict[str, str]] = {"TERM": "xterm"}

    @classmethod
    def version(cls) -> str:
        return printed_version("rtorrent", "-h").rpartition(" ")[2].rstrip(".")

    def is_complete(self) -> bool:
        rows = self._call("d.multicall2", "", "main", "d.complete=", "d.is_active=", "d.is_meta=")
        return rows == [[1, 1, 0]]

    def _share(self, source: Path | str, directory: Path) -> None:
        (self.home / "session").mkdir()
        configuration = self.home / "rtorrent.rc"
        configuration.write_text(
            CONFIGURATION.format(
                home=self.home,
                directory=directory,
                port=BITTORRENT_PORT,
                control=CONTROL_PORT,
                encryption=ENCRYPTION[self.encryption],
                rate=self.rate or 0,
            ),
            encoding="utf-8",
        )
        self._start("rtorrent", "-n", "-o", f"import={configuration}")
        self._wait_control()
        if isinstance(source, Path):
            self._call("load.raw_start", "", xmlrpc.client.Binary(source.read_bytes()))
        else:
            self._call("load.start", "", source)

    def _call(self, method: str, *parameters: Any) -> Any:
        body = xmlrpc.client.dumps(parameters, method).encode()
        head = f"CONTENT_LENGTH\0{len(body)}\0SCGI\x001\0".encode()
        with self.host.connect(CONTROL_PORT) as control:
            control.sendall(b"%d:%b,%b" % (len(head), head, body))
            answer = b"".join(iter(lambda: control.recv(65536), b""))
        try:
            [result], _ = xmlrpc.client.loads(answer.partition(b"\r\n\r\n")[2].decode())
        except xmlrpc.client.Fault as fault:
            raise self.error(f"{method}: {fault.faultString}") from fault
        return result
