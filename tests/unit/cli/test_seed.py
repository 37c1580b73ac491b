from __future__ import annotations

import asyncio
import contextlib

import pytest

from millstream import create_torrent
from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.seed import serve
from millstream.cli.swarm_options import read_swarm_options

from .shown import Recording


@pytest.fixture
async def torrent(tmp_path):
    """The path of the .torrent of `data.bin`."""
    (tmp_path / "data.bin").write_bytes(bytes(100_000))
    path = tmp_path / "data.torrent"
    path.write_bytes(await create_torrent(tmp_path / "data.bin"))
    return str(path)


async def test_serves_until_it_is_stopped(torrent, tmp_path):
    display = Recording()
    task = asyncio.create_task(serve(display, torrent, tmp_path, read_swarm_options()))
    name, sentence, facts = await display.news.get()
    assert name == "seeding"
    assert sentence == f"Seeding data.bin on port {facts['port']}; Ctrl-C stops."
    _, writer = await asyncio.open_connection("127.0.0.1", facts["port"])
    writer.close()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_refuses_data_that_is_not_complete_and_changes_nothing(torrent, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(CommandError) as caught:
        await serve(Recording(), torrent, elsewhere, read_swarm_options())
    assert caught.value.code == ExitCode.BAD_DATA
    assert f"data.bin is not complete in {elsewhere}: 7 of 7 pieces missing or bad" in str(
        caught.value
    )
    assert not elsewhere.exists()


async def test_a_magnet_link_is_nothing_to_seed(tmp_path):
    with pytest.raises(CommandError, match="so there is nothing to seed") as caught:
        await serve(Recording(), f"magnet:?xt=urn:btih:{'0' * 40}", tmp_path, read_swarm_options())
    assert caught.value.code == ExitCode.USAGE
