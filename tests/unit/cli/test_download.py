from __future__ import annotations

import signal

import pytest
import typer

from millstream import create_native_engine
from millstream.cli.download import Download
from millstream.cli.exit_codes import Interrupted, exit_code_of
from millstream.cli.selection import Selection
from millstream.cli.swarm_options import read_swarm_options
from millstream.errors import ConfigError, StorageError
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.testing.content import multi_file_torrent, single_file_torrent

from .shown import Recording

PIECE_LENGTH = 16384
DATA = bytes(range(256)) * 300
FILES = {("a.txt",): b"a" * PIECE_LENGTH, ("b.bin",): b"b" * PIECE_LENGTH, ("c.txt",): b"c" * 9}
ALBUM = multi_file_torrent("album", list(FILES.items()), PIECE_LENGTH)


@pytest.fixture
def metainfo():
    return Metainfo.parse(single_file_torrent("data.bin", DATA, PIECE_LENGTH))


@pytest.fixture
def torrent(tmp_path):
    """The path of the .torrent of `data.bin`."""
    path = tmp_path / "data.torrent"
    path.write_bytes(single_file_torrent("data.bin", DATA, PIECE_LENGTH))
    return str(path)


def album_in(directory):
    (directory / "album").mkdir(parents=True)
    for path, content in FILES.items():
        (directory / "album" / path[0]).write_bytes(content)
    return Metainfo.parse(ALBUM)


async def run_with_seeder(display, metainfo, directory, source, target, **options):
    """Run the command beside an engine that seeds what is in the directory."""
    async with create_native_engine(save_path=directory) as seeder:
        await seeder.add(metainfo, seed_mode=True)
        reach = read_swarm_options(peer=[f"127.0.0.1:{seeder.listen_port}"])
        job = Download(display, source, target, reach, **options)
        await job.run(interval=0.01)


async def test_gets_the_files_and_says_so(metainfo, torrent, tmp_path):
    (tmp_path / "data.bin").write_bytes(DATA)
    display, target = Recording(), tmp_path / "new" / "directory"
    await run_with_seeder(display, metainfo, tmp_path, torrent, target)
    assert (target / "data.bin").read_bytes() == DATA
    assert display.names == ["started", "complete"]
    assert display.events[0][2]["piece_count"] == 5
    _, sentence, facts = display.events[-1]
    assert sentence.startswith("data.bin: 75 KiB in ")
    assert sentence.endswith("; all 5 pieces verified")
    assert facts["downloaded"] == len(DATA)
    assert display.snapshots[-1].status.state.value == "seeding"


async def test_a_magnet_link_tells_its_name_first_and_the_sizes_when_they_are_known(
    metainfo, tmp_path
):
    (tmp_path / "data.bin").write_bytes(DATA)
    display, target = Recording(), tmp_path / "new"
    link = str(Magnet(metainfo.info_hash, "called so"))
    await run_with_seeder(display, metainfo, tmp_path, link, target)
    assert (target / "data.bin").read_bytes() == DATA
    assert display.names == ["started", "metadata", "complete"]
    started, (_, sentence, known), _ = display.events
    assert started[2]["name"] == "called so"
    assert started[2]["infohash"] == str(metainfo.info_hash)
    assert (started[2]["total_length"], started[2]["piece_count"]) == (None, None)
    assert sentence == "Got the metadata: data.bin, 75 KiB in 1 file"
    assert (known["name"], known["piece_count"], known["file_count"]) == ("data.bin", 5, 1)


@pytest.mark.parametrize("as_link", [False, True])
async def test_selected_files_only(tmp_path, as_link):
    metainfo = album_in(tmp_path)
    display, target = Recording(), tmp_path / "new"
    path = tmp_path / "album.torrent"
    path.write_bytes(ALBUM)
    source = str(Magnet.of(metainfo)) if as_link else str(path)
    await run_with_seeder(display, metainfo, tmp_path, source, target, selection=Selection(["B.*"]))
    assert [found.name for found in (target / "album").iterdir()] == ["b.bin"]
    assert display.events[-1][1].endswith("; 1 of 3 files, every piece verified")
    assert display.events[-1][2]["total_length"] == PIECE_LENGTH


@pytest.mark.parametrize("as_link", [False, True])
async def test_a_selection_of_nothing_is_wrong_usage_before_anything_is_written(tmp_path, as_link):
    metainfo = album_in(tmp_path)
    display, target = Recording(), tmp_path / "new"
    path = tmp_path / "album.torrent"
    path.write_bytes(ALBUM)
    source = str(Magnet.of(metainfo)) if as_link else str(path)
    with pytest.raises(ConfigError, match=r"^--select 4: the torrent has 3 files") as caught:
        await run_with_seeder(
            display, metainfo, tmp_path, source, target, selection=Selection(["4"])
        )
    assert exit_code_of(caught.value) == 2
    assert not target.exists()
    assert display.names == (["started"] if as_link else [])


async def test_what_is_there_is_not_fetched_again(torrent, tmp_path):
    (tmp_path / "data.bin").write_bytes(DATA)
    display = Recording()
    await Download(display, torrent, tmp_path, read_swarm_options()).run()
    assert display.events[-1][1] == "data.bin was there already: 75 KiB, all 5 pieces verified"


async def test_the_error_that_stopped_the_torrent_is_the_one_raised(torrent, tmp_path):
    (tmp_path / "data.bin").mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        await Download(Recording(), torrent, tmp_path, read_swarm_options()).run()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 3)])
def test_a_stop_before_the_end(tmp_path, number, code):
    display = Recording()
    job = Download(display, "x.torrent", tmp_path, read_swarm_options())
    with pytest.raises(typer.Exit) as end:
        job.tell_stop(Interrupted(number))
    assert end.value.exit_code == code
    ((name, sentence, facts),) = display.events
    assert name == "stopped"
    assert sentence == "Stopped before the torrent's metadata was here. Nothing was written."
    assert facts == {"progress": 0.0, "exit_code": code}


async def test_a_stop_while_seeding_is_success(torrent, tmp_path):
    (tmp_path / "data.bin").write_bytes(DATA)
    display = Recording()
    job = Download(display, torrent, tmp_path, read_swarm_options())
    await job.run()
    job.tell_stop(Interrupted(signal.SIGINT))
    assert display.events[-1] == ("stopped", "Stopped seeding.", {"progress": 1.0, "exit_code": 0})


async def test_a_stop_in_between_says_how_far_it_came(torrent, tmp_path):
    display = Recording()
    job = Download(display, torrent, tmp_path, read_swarm_options())

    class StopError(Exception):
        pass

    async def stopped(*_):
        raise StopError

    job._until_complete = stopped
    with pytest.raises(StopError):
        await job.run()
    with pytest.raises(typer.Exit):
        job.tell_stop(Interrupted(signal.SIGINT))
    assert display.events[-1][1] == (
        "Stopped at 0.0 %. The same command goes on from here: it checks the files on disk first."
    )
