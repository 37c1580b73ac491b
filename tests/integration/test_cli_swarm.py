"""The command line in a swarm: tracker, seed and download, each in a process of its own."""

from __future__ import annotations

import random
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.testing.content import multi_file_torrent

from .programs import Program, millstream, run
from .raw_web import RawWeb, response

pytestmark = pytest.mark.slow

PIECE_LENGTH = 32768
CONTENT = {
    ("one.flac",): random.Random(1).randbytes(9 * PIECE_LENGTH),
    ("two.flac",): random.Random(2).randbytes(7 * PIECE_LENGTH),
    ("extras", "notes.txt"): b"notes",
}
TORRENT = multi_file_torrent("album", list(CONTENT.items()), PIECE_LENGTH)
METAINFO = Metainfo.parse(TORRENT)
HEX = str(METAINFO.info_hash)


@dataclass(frozen=True)
class Swarm:
    """A tracker and a seed at work.

    Attributes:
        http: the tracker's URL.
        udp: its other URL.
        seed: the program that seeds.
        torrent: the path of the .torrent, which names no tracker.
    """

    http: str
    udp: str
    seed: Program
    torrent: Path

    def link(self, *, udp: bool = False) -> str:
        return str(Magnet(METAINFO.info_hash, "called so", (self.udp if udp else self.http,)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with the .torrent and its files."""
    for path, content in CONTENT.items():
        file = tmp_path.joinpath("album", *path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (tmp_path / "album.torrent").write_bytes(TORRENT)
    return tmp_path


@pytest.fixture(params=["prefer", "require"])
def encryption(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def swarm(folder: Path, encryption: str) -> AsyncIterator[Swarm]:
    """A tracker that knows of a seed."""
    local = ("--host", "127.0.0.1", "--port", 0, "--json")
    async with millstream("tracker", *local) as tracker:
        urls = await tracker.event("tracking")
        torrent = folder / "album.torrent"
        reach = ("--tracker", urls["http_url"], "--encryption", encryption)
        async with millstream("seed", torrent, "-o", folder, *reach, "--json") as seed:
            await seed.event("seeding")
            told = await tracker.event("swarm")
            assert told == {
                "event": "swarm",
                "infohash": HEX,
                "seeders": 1,
                "leechers": 0,
                "completed": 0,
            }
            yield Swarm(urls["http_url"], urls["udp_url"], seed, torrent)
            assert await seed.stop() == 0
            assert await seed.errors() == ""
        told = await tracker.event("swarm")
        while told["seeders"] or told["leechers"]:
            told = await tracker.event("swarm")
        assert await tracker.stop() == 0
        assert await tracker.errors() == ""


def stored(directory: Path) -> dict[tuple[str, ...], bytes]:
    """The files of the album that are there."""
    album = directory / "album"
    return {
        path.relative_to(album).parts: path.read_bytes()
        for path in album.rglob("*")
        if path.is_file()
    }


def listed(directory: Path) -> list[str]:
    """What is in a directory."""
    return [path.name for path in directory.iterdir()]


@pytest.mark.parametrize("udp", [False, True])
async def test_a_magnet_link_is_all_it_takes(
    swarm: Swarm, folder: Path, encryption: str, *, udp: bool
) -> None:
    target = folder / "copy"
    options = ("--allow-local", "--encryption", encryption, "--json")
    async with millstream("download", swarm.link(udp=udp), "-o", target, *options) as download:
        started = await download.event("started")
        assert (started["name"], started["infohash"]) == ("called so", HEX)
        assert started["total_length"] is None
        metadata = await download.event("metadata")
        assert (metadata["name"], metadata["file_count"]) == ("album", 3)
        assert metadata["piece_count"] == METAINFO.piece_count
        complete = await download.event("complete")
        assert complete["downloaded"] == METAINFO.total_length
        assert await download.end() == 0
        assert await download.errors() == ""
        (answer,) = [event for event in download.events() if event["event"] == "tracker"]
        assert (answer["url"], answer["state"]) == (swarm.udp if udp else swarm.http, "working")
        assert (answer["error"], answer["seeders"], answer["peers"]) == (None, 1, 1)
    assert stored(target) == CONTENT
    code, lines, _ = await run("scrape", swarm.http, HEX)
    assert (code, lines) == (0, [f"{swarm.http}: 1 seeder, 0 leechers, 1 completed"])


@pytest.mark.parametrize("encryption", ["require"], indirect=True)
async def test_peers_shows_who_is_there_and_takes_nothing(swarm: Swarm, folder: Path) -> None:
    options = ("--allow-local", "--encryption", "require", "--json")
    async with millstream("peers", swarm.link(), *options) as watching:
        seen = await watching.event("peers")
        while not (seen["peers"] and seen["peers"][0]["progress"] == 1.0):
            seen = await watching.event("peers")
        (peer,) = seen["peers"]
        assert peer["client"].startswith("Millstream")
        assert (peer["source"], peer["encryption"], peer["flags"]) == ("tracker", "rc4", "E")
        assert await watching.stop() == 0
        assert watching.events()[-1] == {"event": "stopped", "progress": None, "exit_code": 0}
    assert not (folder / "peers").exists()
    assert peer["downloaded"] == 0


@pytest.mark.parametrize("encryption", ["prefer"], indirect=True)
@pytest.mark.parametrize("source", ["link", "torrent"])
async def test_one_file_of_three(swarm: Swarm, folder: Path, source: str) -> None:
    target = folder / "copy"
    what = swarm.link() if source == "link" else swarm.torrent
    options = ("--tracker", swarm.http, "--select", 2)
    code, lines, errors = await run("download", what, "-o", target, *options)
    assert (code, errors) == (0, "")
    assert lines[-1].startswith("album: 224 KiB in ")
    assert lines[-1].endswith("; 1 of 3 files, every piece verified")
    # The last file is in a piece of its own.
    assert stored(target) == {("two.flac",): CONTENT["two.flac",]}


@pytest.mark.parametrize("encryption", ["prefer"], indirect=True)
async def test_files_that_a_link_has_not_are_wrong_usage(swarm: Swarm, folder: Path) -> None:
    target = folder / "copy"
    options = ("--allow-local", "--select", "*.ogg")
    code, lines, errors = await run("download", swarm.link(), "-o", target, *options)
    assert (code, lines) == (2, [])
    assert errors == (
        "millstream: --select *.ogg: no file of the torrent has such a name; "
        "`millstream info` lists them\n"
    )
    assert not target.exists()


async def test_files_that_a_torrent_has_not_are_wrong_usage(folder: Path) -> None:
    target = folder / "copy"
    command = ("download", folder / "album.torrent", "-o", target, "--select", "1,4")
    code, lines, errors = await run(*command)
    assert (code, lines) == (2, [])
    assert errors == (
        "millstream: --select 4: the torrent has 3 files; `millstream info` numbers them\n"
    )
    assert not target.exists()


@pytest.fixture
def nobody() -> str:
    """The URL of a tracker that is down."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/announce"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 3)])
async def test_a_tracker_that_is_down_is_named_and_asked_again(
    nobody: str, tmp_path: Path, number: int, code: int
) -> None:
    link = Magnet(METAINFO.info_hash, trackers=(nobody,))
    command = ("download", link, "-o", tmp_path / "copy", "--allow-local")
    async with millstream(*command) as download:
        line = await download.line_with("Tracker ")
        assert line.startswith(f"Tracker {nobody}: 127.0.0.1: connection refused; next try in ")
        line = await download.line_with("fetching metadata")
        assert line == "fetching metadata: 0.0 %, no peers: the tracker fails"
        assert await download.stop(number) == code
        assert download.lines[-1].startswith("Stopped before the torrent's metadata was here.")
        assert await download.errors() == ""
    assert listed(tmp_path) == []


async def test_local_trackers_of_a_link_are_left_alone_unless_allowed(
    nobody: str, tmp_path: Path
) -> None:
    link = Magnet(METAINFO.info_hash, trackers=(nobody,))
    async with millstream("download", link, "-o", tmp_path, "--json") as download:
        answer = await download.event("tracker")
        assert answer["state"] == "failed"
        assert "local hosts are not contacted" in answer["error"]
        stopped = await download.stop()
    assert stopped == 130


async def test_a_scrape_of_a_tracker_that_is_down_is_6(nobody: str) -> None:
    code, lines, errors = await run("scrape", nobody, HEX)
    assert (code, errors) == (6, "millstream: the tracker did not answer\n")
    assert lines == [f"{nobody}: 127.0.0.1: connection refused"]


async def test_a_torrent_from_a_url(folder: Path) -> None:
    async with RawWeb(response(TORRENT)) as web:
        url = f"{web.url}/album.torrent"
        code, lines, errors = await run("download", url, "-o", folder)
        assert (code, errors) == (0, "")
        assert lines == [
            f"album was there already: 512 KiB, all {METAINFO.piece_count} pieces verified"
        ]
        code, lines, _ = await run("info", url)
        assert code == 0
        assert lines[-3:] == [
            "2 ├── two.flac  224 KiB",
            "  └── extras/",
            "3     └── notes.txt  5 B",
        ]


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (response(b"", status="404 Not Found"), 6, "the server answered 404"),
        (response(b"<html>"), 2, "/x.torrent: "),
    ],
)
async def test_a_url_of_no_torrent(tmp_path: Path, answer: bytes, code: int, words: str) -> None:
    async with RawWeb(answer) as web:
        found, lines, errors = await run("download", f"{web.url}/x.torrent", "-o", tmp_path / "x")
    assert (found, lines) == (code, [])
    assert words in errors
    assert errors.startswith("millstream: ")
    assert errors.count("\n") == 1
    assert listed(tmp_path) == []
