from __future__ import annotations

import hashlib
import io
import json

import pytest
from rich.console import Console

from millstream.cli import main
from millstream.cli.contents import content_files
from millstream.cli.info import magnet_rows, rows, show
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import FileAttribute, FileEntry, Metainfo
from millstream.protocol.metainfo_building import build


def made(**options) -> bytes:
    digest = hashlib.sha1(b"").digest()
    files = [
        FileEntry(("a b.txt",), 10),
        FileEntry((".pad", "6"), 6, FileAttribute.PAD),
        FileEntry(("映画", "x.mkv"), 20),
        FileEntry(("..", "evil"), 4),
    ]
    return build("pictures", files, 16, digest * 3, is_multi_file=True, **options)


FULL = {
    "private": True,
    "trackers": [["http://a.example/announce"], ["udp://b.example:1"]],
    "web_seeds": ["https://w.example/"],
    "comment": "line\x1b[2J",
    "created_by": "test",
    "creation_date": 86400,
}


def test_rows_of_all_there_is():
    found = rows(Metainfo.parse(made(**FULL)), 3)
    assert [label for label, _ in found] == [
        "Name",
        "Infohash",
        "Size",
        "Pieces",
        "Private",
        "Tracker",
        "",
        "Web seed",
        "Comment",
        "Created",
        "Created by",
    ]
    assert dict(found)["Size"] == "40 B in 3 files"
    assert dict(found)["Comment"] == "line\ufffd[2J"
    assert dict(found)["Created"] == "1970-01-02 00:00 UTC"


def test_rows_leave_out_what_is_not_there():
    assert [label for label, _ in rows(Metainfo.parse(made()), 3)] == [
        "Name",
        "Infohash",
        "Size",
        "Pieces",
    ]


@pytest.mark.parametrize("date", [1 << 62, -(1 << 62)])
def test_dates_outside_the_calendar_are_left_out(date):
    assert "Created" not in dict(rows(Metainfo.parse(made(creation_date=date)), 3))


def test_the_tree_has_the_names_on_the_disk_and_no_padding():
    output = io.StringIO()
    metainfo = Metainfo.parse(made())
    show(Console(file=output, width=20, highlight=False), metainfo, content_files(metainfo))
    tree = output.getvalue().partition("\n\n")[2].splitlines()
    assert tree[0] == "  pictures/  3 files, 34 B"
    assert tree[1] == "1 ├── a b.txt  10 B"
    assert tree[2:4] == ["  ├── 映画/", "2 │   └── x.mkv  20 B"]
    assert ".." not in "".join(tree).split("/")
    assert "pad" not in output.getvalue()


def test_json_is_one_object_on_one_line(tmp_path, capsys):
    path = tmp_path / "x.torrent"
    path.write_bytes(made(**FULL))
    with pytest.raises(SystemExit) as end:
        main(["info", str(path), "--json"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    facts = json.loads(out)
    assert facts["event"] == "info"
    assert facts["piece_count"] == 3
    assert facts["trackers"] == [["http://a.example/announce"], ["udp://b.example:1"]]
    assert facts["files"][0] == {"number": 1, "path": "pictures/a b.txt", "length": 10}
    assert len(facts["files"]) == 3


def test_json_errors_are_objects_too(tmp_path, capsys):
    path = tmp_path / "x.torrent"
    path.write_bytes(b"hello")
    assert main(["info", str(path), "--json"]) == 2
    out, err = capsys.readouterr()
    error = json.loads(out)
    assert (error["event"], error["exit_code"]) == ("error", 2)
    assert err == f"millstream: {error['message']}\n"


LINK = (
    f"magnet:?xt=urn:btih:{'ab' * 20}&dn=x&tr=udp%3A%2F%2Fa.example%3A1&tr=http%3A%2F%2Fb.example"
    "&x.pe=192.0.2.1:6881&so=0,2"
)


def test_the_only_file_has_no_number(tmp_path, capsys):
    data = build("a.iso", [FileEntry(("a.iso",), 10)], 16, bytes(20), is_multi_file=False)
    (tmp_path / "x.torrent").write_bytes(data)
    with pytest.raises(SystemExit):
        main(["info", str(tmp_path / "x.torrent")])
    assert capsys.readouterr().out.endswith("\n\na.iso  10 B\n")


def test_a_magnet_link_shows_what_it_says():
    assert magnet_rows(Magnet.parse(LINK)) == [
        ("Name", "x"),
        ("Infohash", "ab" * 20),
        ("Tracker", "udp://a.example:1"),
        ("", "http://b.example"),
        ("Peer", "192.0.2.1:6881"),
        ("Selected", "0,2, files counted from 0"),
    ]
    bare = Magnet.parse(LINK.partition("&")[0])
    assert [label for label, _ in magnet_rows(bare)] == ["Infohash"]


def test_a_magnet_links_json(capsys):
    with pytest.raises(SystemExit):
        main(["info", LINK, "--json"])
    assert json.loads(capsys.readouterr().out) == {
        "event": "info",
        "name": "x",
        "infohash": "ab" * 20,
        "trackers": [["udp://a.example:1"], ["http://b.example"]],
        "web_seeds": [],
        "peers": ["192.0.2.1:6881"],
        "selected": "0,2",
    }
