"""Libtorrent, driven from a test: one session with one torrent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libtorrent as lt
from libtorrent import create_torrent as flags

from .contents import Tree

POLL_SECONDS = 0.005

# Nothing but the torrent's own peers; many of them on one address; no waiting before a retry.
QUIET: dict[str, Any] = {
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "allow_multiple_connections_per_ip": True,
    "min_reconnect_time": 1,
    "tick_interval": 50,
    "alert_mask": lt.alert_category.status | lt.alert_category.peer | lt.alert_category.connect,
}
PLAIN_TCP: dict[str, Any] = {
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "out_enc_policy": int(lt.enc_policy.pe_disabled),
    "in_enc_policy": int(lt.enc_policy.pe_disabled),
}

# As it comes, but quicker to give up on uTP, which is not answered: it waits for seconds.
STOCK: dict[str, Any] = {"utp_connect_timeout": 100, "utp_syn_resends": 0}

V1_ONLY = flags.v1_only
V1_WITH_PADS = flags.v1_only | flags.canonical_files
HYBRID = 0
V2_ONLY = lt.create_torrent_flags_t.v2_only


async def until(condition: Callable[[], bool]) -> None:
    """Poll; the test's own guard ends it if the condition never holds."""
    while not condition():  # noqa: ASYNC110 - a foreign client tells us of no changes
        await asyncio.sleep(POLL_SECONDS)


def make_torrent(tree: Tree, root: Path, piece_length: int, kind: int = V1_ONLY) -> bytes:
    """The .torrent that libtorrent makes of a tree below `root`."""
    entries = [
        lt.create_file_entry(path, size)
        for path, size in zip(tree.paths, tree.sizes.values(), strict=True)
    ]
    torrent = lt.create_torrent(entries, piece_length, kind)
    lt.set_piece_hashes(torrent, str(root))
    return lt.bencode(torrent.generate())


def v1_info_hash(torrent: bytes) -> str:
    return str(lt.load_torrent_buffer(torrent).info_hashes.v1)


class LibtorrentPeer:
    """A libtorrent session that shares one torrent.

    Args:
        torrent: the .torrent.
        save_path: the directory under which its files are.
        host: where it listens.
        port: where it listens; 0 for any free port.
        upload_limit: bytes a second; 0 for none.
        download_limit: bytes a second; 0 for none.
        trusting: seed without ever looking at the files.
        stock: with libtorrent's own ideas of encryption and uTP, not plain TCP alone.
        settings: more of libtorrent's settings.
    """

    def __init__(
        self,
        torrent: bytes,
        save_path: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        upload_limit: int = 0,
        download_limit: int = 0,
        trusting: bool = False,
        stock: bool = False,
        settings: dict[str, Any] | None = None,
    ) -> None:
        literal = f"[{host}]" if ":" in host else host
        own = {"listen_interfaces": f"{literal}:{port}", "disable_hash_checks": trusting}
        kind = STOCK if stock else PLAIN_TCP
        self._session = lt.session(QUIET | own | kind | (settings or {}))
        self._seen: Counter[str] = Counter()
        params = lt.load_torrent_buffer(torrent)
        params.save_path = str(save_path)
        params.upload_limit = upload_limit
        params.download_limit = download_limit
        params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
        if trusting:
            params.flags |= lt.torrent_flags.seed_mode
        self._handle = self._session.add_torrent(params)
        self.port = self._session.listen_port()
        self.address = f"{literal}:{self.port}"

    @property
    def progress(self) -> float:
        return self._handle.status().progress

    @property
    def uploaded(self) -> int:
        """Payload bytes."""
        return self._handle.status().total_payload_upload

    @property
    def pieces(self) -> list[bool]:
        return self._handle.status().pieces

    def seen(self, kind: str) -> int:
        """How many alerts of a kind it got, up to now: `incoming_connection`, `peer_connect`..."""
        self._seen.update(alert.what() for alert in self._session.pop_alerts())
        return self._seen[kind]

    async def wait_seen(self, kind: str, count: int) -> None:
        await until(lambda: self.seen(kind) >= count)

    @property
    def connections_seen(self) -> int:
        """How many connections it got or made, up to now."""
        return self.seen("incoming_connection") + self.seen("peer_connect")

    async def wait_checked(self) -> None:
        checking = {lt.torrent_status.checking_files, lt.torrent_status.checking_resume_data}
        await until(lambda: self._handle.status().state not in checking)

    async def wait_complete(self) -> None:
        await until(lambda: self._handle.status().is_seeding)

    async def wait_progress(self, share: float) -> None:
        await until(lambda: self.progress >= share)

    def want_nothing_more(self) -> None:
        """Keep to what is there already: a partial seed."""
        self._handle.prioritize_pieces([0] * len(self.pieces))

    def connect(self, port: int | None, host: str = "127.0.0.1") -> None:
        self._handle.connect_peer((host, port))

    def lift_limits(self) -> None:
        self._handle.set_upload_limit(0)
        self._handle.set_download_limit(0)

    def close(self) -> None:
        """Leave. Connections are closed and the port is free when this returns."""
        self._handle = None
        self._session = None
