from __future__ import annotations

import hashlib
import json

import pytest

from millstream.cli import main
from millstream.errors import TrackerError
from millstream.presets import scraping
from millstream.protocol.infohash import InfoHash
from millstream.protocol.metainfo import FileEntry, Metainfo
from millstream.protocol.metainfo_building import build
from millstream.tracker.announce import ScrapeEntry

HASH = "0123456789abcdef0123456789abcdef01234567"
OTHER = "ff" * 20
A, B = "http://a.example/announce", "udp://b.example:1"


class FakeTrackers:
    """Stands for `scrape_tracker`: answers by URL."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[InfoHash, ScrapeEntry] | TrackerError] = {}
        self.asked: list[tuple[str, list[str], bool]] = []

    async def __call__(self, url, info_hashes, *, config, allow_local):
        self.asked.append((url, [str(each) for each in info_hashes], allow_local))
        answer = self.answers[url]
        if isinstance(answer, TrackerError):
            raise answer
        return answer


@pytest.fixture
def fake(monkeypatch) -> FakeTrackers:
    made = FakeTrackers()
    monkeypatch.setattr(scraping, "scrape_tracker", made)
    return made


def scrape(capsys, *arguments):
    try:
        code = main(["scrape", *arguments])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


def made(*urls: str) -> bytes:
    return build(
        "x",
        [FileEntry(("x",), 5)],
        16384,
        hashlib.sha1(b"hello").digest(),
        is_multi_file=False,
        trackers=[[url] for url in urls],
    )


def test_a_url_with_an_infohash(fake, capsys):
    fake.answers[A] = {InfoHash.from_hex(HASH): ScrapeEntry(1, 1234, 2)}
    code, lines, err = scrape(capsys, A, HASH)
    assert (code, err) == (0, "")
    assert lines == [f"{A}: 1 seeder, 2 leechers, 1,234 completed"]
    # What the user types may be local.
    assert fake.asked == [(A, [HASH], True)]


def test_several_torrents_are_named(fake, capsys):
    fake.answers[A] = {InfoHash.from_hex(HASH): ScrapeEntry(1, 0, 2)}
    _, lines, _ = scrape(capsys, A, HASH, OTHER, HASH)
    assert lines == [
        f"{A} {HASH}: 1 seeder, 2 leechers, 0 completed",
        f"{A} {OTHER}: does not know the torrent",
    ]


def test_a_torrent_asks_all_its_trackers(fake, capsys, tmp_path):
    data = made(A, B, A)
    (tmp_path / "x.torrent").write_bytes(data)
    info_hash = Metainfo.parse(data).info_hash
    fake.answers = {A: TrackerError("gone\x1b[2J"), B: {info_hash: ScrapeEntry(3, 4, 5)}}
    code, lines, err = scrape(capsys, str(tmp_path / "x.torrent"))
    assert (code, err) == (0, "")
    assert lines == [f"{A}: gone\ufffd[2J", f"{B}: 3 seeders, 5 leechers, 4 completed"]
    assert [local for *_, local in fake.asked] == [False, False]


def test_a_magnet(fake, capsys):
    fake.answers[A] = {}
    link = f"magnet:?xt=urn:btih:{HASH}&tr=http%3A%2F%2Fa.example%2Fannounce"
    code, lines, _ = scrape(capsys, link, "--allow-local")
    assert code == 0
    assert lines == [f"{A}: does not know the torrent"]
    assert fake.asked == [(A, [HASH], True)]


def test_no_answer_is_6(fake, capsys, tmp_path):
    fake.answers = {A: TrackerError("gone"), B: TrackerError("no answer")}
    code, lines, err = scrape(capsys, A, HASH)
    assert (code, lines) == (6, [f"{A}: gone"])
    assert err == "millstream: the tracker did not answer\n"
    (tmp_path / "x.torrent").write_bytes(made(A, B))
    code, lines, err = scrape(capsys, str(tmp_path / "x.torrent"))
    assert (code, len(lines)) == (6, 2)
    assert err == "millstream: none of 2 trackers answered\n"


def test_json(fake, capsys):
    fake.answers[A] = {InfoHash.from_hex(HASH): ScrapeEntry(1, 2, 3)}
    code, lines, _ = scrape(capsys, A, HASH, OTHER, "--json")
    assert code == 0
    assert [json.loads(line) for line in lines] == [
        {
            "event": "scrape",
            "url": A,
            "infohash": HASH,
            "seeders": 1,
            "leechers": 3,
            "completed": 2,
            "error": None,
        },
        {
            "event": "scrape",
            "url": A,
            "infohash": OTHER,
            "seeders": None,
            "leechers": None,
            "completed": None,
            "error": None,
        },
    ]
    fake.answers[A] = TrackerError("gone")
    code, lines, _ = scrape(capsys, A, HASH, "--json")
    assert code == 6
    assert json.loads(lines[0])["error"] == "gone"
    assert json.loads(lines[1])["exit_code"] == 6


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("no-such-file", "no-such-file cannot be read"),
        ("magnet:?xt=urn:btih:abc", "infohash"),
        (f"magnet:?xt=urn:btih:{HASH}", "names no tracker"),
    ],
)
def test_sources_that_cannot_be_used_are_2(fake, capsys, source, words):
    code, lines, err = scrape(capsys, source)
    assert (code, lines) == (2, [])
    assert words in err
    assert err.count("\n") == 1
    assert fake.asked == []
