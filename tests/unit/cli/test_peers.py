from __future__ import annotations

import asyncio
import contextlib

import pytest

from millstream import create_native_engine
from millstream.cli.exit_codes import CommandError
from millstream.cli.peers import watch
from millstream.cli.swarm_options import read_swarm_options
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.testing.content import single_file_torrent

from .shown import Recording

CONTENT = bytes(range(256)) * 300
METAINFO = Metainfo.parse(single_file_torrent("data.bin", CONTENT, 16384))


class Watching(Recording):
    """Sets `seen` when there is a peer of which everything is known."""

    def __init__(self):
        super().__init__()
        self.seen = asyncio.Event()

    def peers(self, snapshot):
        super().peers(snapshot)
        if snapshot.peers and snapshot.status.seeds:
            self.seen.set()


@pytest.mark.slow
async def test_shows_a_seed_and_writes_nothing(tmp_path):
    (tmp_path / "data.bin").write_bytes(CONTENT)
    display, empty = Watching(), tmp_path / "empty"
    async with create_native_engine(save_path=tmp_path) as seeder:
        await seeder.add(METAINFO, seed_mode=True)
        options = read_swarm_options(peer=[f"127.0.0.1:{seeder.listen_port}"])
        link = str(Magnet.of(METAINFO))
        task = asyncio.create_task(watch(display, link, empty, options, interval=0.001))
        await display.seen.wait()
        # Seeds leave each other at the next beat: who watches is none.
        await asyncio.sleep(0.6)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert task.cancelled()
    assert display.names == ["watching"]
    assert display.events[0][1] == "Watching data.bin; Ctrl-C stops."
    assert display.events[0][2]["infohash"] == str(METAINFO.info_hash)
    last = display.snapshots[-1]
    assert [(peer.progress, peer.source) for peer in last.peers] == [(1.0, "user")]
    assert last.status.downloaded == 0
    assert not empty.exists()


async def test_a_wrong_link_is_an_error(tmp_path):
    with pytest.raises(CommandError, match="has no infohash"):
        await watch(Recording(), "magnet:?dn=x", tmp_path, read_swarm_options())
