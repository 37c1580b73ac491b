from __future__ import annotations

import hashlib
import json
import signal

import pytest
import typer

from millstream import PeerAddress, create_native_engine
from millstream.cli.display import Silent
from millstream.cli.download import Download
from millstream.cli.exit_codes import Interrupted
from millstream.cli.settings import engine_config
from millstream.errors import StorageError
from millstream.protocol.metainfo import FileEntry, Metainfo, build

PIECE_LENGTH = 16384
DATA = bytes(range(256)) * 300


@pytest.fixture
def metainfo():
    digests = b"".join(
        hashlib.sha1(DATA[start : start + PIECE_LENGTH]).digest()
        for start in range(0, len(DATA), PIECE_LENGTH)
    )
    entry = FileEntry(("data.bin",), len(DATA))
    return Metainfo.parse(build("data.bin", [entry], PIECE_LENGTH, digests, is_multi_file=False))


class Recording(Silent):
    def __init__(self):
        self.events = []
        self.states = []

    def event(self, name, sentence="", /, *, good=None, **facts):
        json.dumps(facts)
        self.events.append((name, sentence, facts))

    def transfer(self, name, status, pieces):
        assert len(pieces) == status.piece_count
        self.states.append(status.state.value)


async def test_gets_the_files_and_says_so(metainfo, tmp_path):
    (tmp_path / "data.bin").write_bytes(DATA)
    display = Recording()
    async with create_native_engine(save_path=tmp_path) as seeder:
        await seeder.add(metainfo, seed_mode=True)
        peers = [PeerAddress("127.0.0.1", seeder.listen_port)]
        job = Download(display, metainfo, tmp_path / "new" / "directory", peers)
        await job.run(engine_config(port=0), interval=0.01)
    assert (tmp_path / "new" / "directory" / "data.bin").read_bytes() == DATA
    assert [name for name, _, _ in display.events] == ["started", "complete"]
    _, sentence, facts = display.events[-1]
    assert sentence.startswith("data.bin: 75 KiB in ")
    assert sentence.endswith("; all 5 pieces verified")
    assert facts["downloaded"] == len(DATA)
    assert display.states[-1] == "seeding"


async def test_what_is_there_is_not_fetched_again(metainfo, tmp_path):
    (tmp_path / "data.bin").write_bytes(DATA)
    display = Recording()
    await Download(display, metainfo, tmp_path, []).run(engine_config(port=None))
    assert display.events[-1][1] == "data.bin was there already: 75 KiB, all 5 pieces verified"


async def test_the_error_that_stopped_the_torrent_is_the_one_raised(metainfo, tmp_path):
    (tmp_path / "data.bin").mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        await Download(Recording(), metainfo, tmp_path, []).run(engine_config(port=0))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 3)])
def test_a_stop_before_the_end(metainfo, tmp_path, number, code):
    display = Recording()
    job = Download(display, metainfo, tmp_path, [])
    with pytest.raises(typer.Exit) as end:
        job.tell_stop(Interrupted(number))
    assert end.value.exit_code == code
    ((name, sentence, facts),) = display.events
    assert name == "stopped"
    assert sentence == (
        "Stopped at 0.0 %. The same command goes on from here: it checks the files on disk first."
    )
    assert facts == {"progress": 0.0, "exit_code": code}


async def test_a_stop_while_seeding_is_success(metainfo, tmp_path):
    (tmp_path / "data.bin").write_bytes(DATA)
    display = Recording()
    job = Download(display, metainfo, tmp_path, [])
    await job.run(engine_config(port=0))
    job.tell_stop(Interrupted(signal.SIGINT))
    assert display.events[-1] == ("stopped", "Stopped seeding.", {"progress": 1.0, "exit_code": 0})
