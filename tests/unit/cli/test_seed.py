from __future__ import annotations

import asyncio
import contextlib

import pytest

from millstream import create_torrent
from millstream.cli.display import Silent
from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.seed import serve
from millstream.cli.settings import engine_config
from millstream.protocol.metainfo import Metainfo


@pytest.fixture
async def metainfo(tmp_path):
    (tmp_path / "data.bin").write_bytes(bytes(100_000))
    return Metainfo.parse(await create_torrent(tmp_path / "data.bin"))


class Recording(Silent):
    def __init__(self):
        self.seeding = asyncio.get_running_loop().create_future()

    def event(self, name, sentence="", /, *, good=None, **facts):
        self.seeding.set_result((name, sentence, facts))


async def test_serves_until_it_is_stopped(metainfo, tmp_path):
    display = Recording()
    task = asyncio.create_task(serve(display, metainfo, tmp_path, [], engine_config(port=0)))
    name, sentence, facts = await display.seeding
    assert name == "seeding"
    assert sentence == f"Seeding data.bin on port {facts['port']}; Ctrl-C stops."
    _, writer = await asyncio.open_connection("127.0.0.1", facts["port"])
    writer.close()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_refuses_data_that_is_not_complete_and_changes_nothing(metainfo, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(CommandError) as caught:
        await serve(Recording(), metainfo, elsewhere, [], engine_config(port=0))
    assert caught.value.code == ExitCode.BAD_DATA
    assert f"data.bin is not complete in {elsewhere}: 7 of 7 pieces missing or bad" in str(
        caught.value
    )
    assert not elsewhere.exists()
