from __future__ import annotations

import pytest

from millstream.protocol.metainfo import FileEntry, Metainfo
from millstream.protocol.metainfo_building import build
from millstream.protocol.web_seed_url import file_url


def single(name="a b.iso"):
    file = FileEntry((name,), 5)
    return Metainfo.parse(build(name, [file], 16384, bytes(20), is_multi_file=False))


def several():
    files = [FileEntry(("x", "1.txt"), 5), FileEntry(("y#?.txt",), 5)]
    return Metainfo.parse(build("dir", files, 16384, bytes(20), is_multi_file=True))


@pytest.mark.parametrize(
    ("seed", "url"),
    [
        ("http://w/files/", "http://w/files/a%20b.iso"),
        ("http://w/other.iso", "http://w/other.iso"),
    ],
)
def test_a_single_file_is_the_url_or_in_its_directory(seed, url):
    assert file_url(seed, single(), 0) == url


@pytest.mark.parametrize("seed", ["http://w/files", "http://w/files/"])
def test_several_files_lie_below_the_torrents_name(seed):
    assert file_url(seed, several(), 0) == "http://w/files/dir/x/1.txt"
    assert file_url(seed, several(), 1) == "http://w/files/dir/y%23%3F.txt"


def test_a_name_cannot_lead_out_of_the_directory():
    assert file_url("http://w/", single("../x"), 0) == "http://w/..%2Fx"
