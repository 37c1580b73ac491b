from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from millstream.native_host.profiles import read_profiles
from millstream.native_host.rpc_info_file import RpcInfoFile, info_directory


@pytest.fixture
def file(tmp_path):
    return RpcInfoFile(tmp_path / "new" / "jstorrent-native")


def test_it_is_for_its_owner_alone(file):
    assert file.read() == []
    file.change(lambda _: [{"install_id": "a"}])
    assert file.read() == [{"install_id": "a"}]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.directory.stat().st_mode) == 0o700


def test_a_failed_write_leaves_the_old_one(file):
    file.change(lambda _: [{"install_id": "a"}])

    def fail(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        file.change(fail)
    assert file.read() == [{"install_id": "a"}]


def test_a_file_that_is_none_is_kept_aside(file):
    file.directory.mkdir(parents=True)
    file.path.write_text("{")
    assert file.read() == []
    file.change(lambda _: [{"install_id": "a"}])
    assert file.read() == [{"install_id": "a"}]
    assert file.path.with_name("rpc-info.json.broken").read_text() == "{"


def test_no_change_is_lost_when_two_change_it(file):
    def add(name):
        for number in range(10):
            RpcInfoFile(file.directory).change(
                lambda before, number=number: [*before, {"install_id": f"{name}{number}"}]
            )

    threads = [threading.Thread(target=add, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_profiles(file.path.read_bytes())) == 20
    assert {path.name for path in file.directory.iterdir()} == {
        "rpc-info.json",
        "rpc-info.json.lock",
    }


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"HOME": "/h"}, "linux", "/h/.config"),
        ({"HOME": "/h", "JSTORRENT_CONFIG_DIR": "relative"}, "linux", "/h/.config"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/x", "JSTORRENT_CONFIG_DIR": "/j"}, "linux", "/j"),
        ({"HOME": "/h", "APPDATA": "/a"}, "win32", "/a"),
    ],
)
def test_where_it_is(environ, platform, expected):
    assert info_directory(environ, platform) == Path(expected, "jstorrent-native")
