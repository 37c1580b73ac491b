from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from millstream.adapters.native.transfers import StoppedError
from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import RangeCopy, Transfer, Transferred
from millstream.io_daemon import lent_files, lent_roots
from millstream.io_daemon.lent_files import LentFiles
from millstream.io_daemon.lent_roots import LentRoots, UnknownRootError
from millstream.io_daemon.relative_path import PathRefusedError
from millstream.storage.roots import StorageRoot


@pytest.fixture(params=[True, False], ids=["descriptors", "paths"])
def files(request, tmp_path, monkeypatch):
    monkeypatch.setattr(lent_roots, "HAS_DESCRIPTORS", request.param)
    (tmp_path / "root").mkdir()
    (tmp_path / "second").mkdir()
    (tmp_path / "outside" / "d").mkdir(parents=True)
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    (tmp_path / "root" / "out").symlink_to("../outside")
    (tmp_path / "root" / "file-out").symlink_to("../outside/secret")
    (tmp_path / "root" / "within").symlink_to("d")
    roots = [StorageRoot("r", "R", str(tmp_path / "root"))]
    roots.append(StorageRoot("s", "S", str(tmp_path / "second")))
    roots.append(StorageRoot("gone", "G", str(tmp_path / "gone" / "deep")))
    return LentFiles(LentRoots(roots))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture(autouse=True)
def outside(tmp_path):
    """Whatever a test does: outside stays as it was, and no descriptor stays open."""
    before = set(Path("/proc/self/fd").iterdir())
    yield
    assert set(Path("/proc/self/fd").iterdir()) == before
    there = sorted(path.name for path in (tmp_path / "outside").rglob("*"))
    assert there == ["d", "secret"]
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"


def write(files, path, data, root="r"):
    with files.opened(root, path, os.O_RDWR | os.O_CREAT) as descriptor:
        os.pwrite(descriptor, data, 0)


GOOD = ["a", "d/e/f.txt", "a..b/..c", "é #?%20/名前", "-x", "~"]


@pytest.mark.parametrize("path", GOOD)
def test_good_paths_work(files, root, path):
    assert files.stat("r", path) is None
    write(files, path, b"data")
    assert (root / path).read_bytes() == b"data"
    found = files.stat("r", path)
    assert (found.size, found.is_directory) == (4, False)
    assert files.sync("r", path) == found
    files.truncate("r", path, 2)
    files.allocate("r", path, 10_000, Allocation.FULL)
    assert (root / path).read_bytes() == b"da" + bytes(9998)
    transfer(files, (path, "x/y", "x/v"), to="r")
    files.delete("r", "x/y")
    files.delete("r", "x/y")
    assert files.list("r", "x") == []


# Every way to name something outside, or something through a link.
BAD = [
    *("../outside/secret", "d/../../outside/secret", "/etc/passwd", "out/secret", "out/d/x"),
    *("file-out", "within/x", "a\0b", "./a", "a//b", ".."),
]
REFUSED = (PathRefusedError, OSError)
DEEDS = {
    "open": lambda files, path: files.open("r", path, os.O_RDONLY),
    "create": lambda files, path: files.open("r", path, os.O_RDWR | os.O_CREAT),
    "stat": lambda files, path: files.stat("r", path),
    "sync": lambda files, path: files.sync("r", path),
    "list": lambda files, path: files.list("r", path),
    "make_directory": lambda files, path: files.make_directory("r", path),
    "allocate": lambda files, path: files.allocate("r", path, 1, Allocation.SPARSE),
    "truncate": lambda files, path: files.truncate("r", path, 0),
    "copy from": lambda files, path: files.copy_ranges("r", path, [RangeCopy("n", 1, ())]),
    "copy to": lambda files, path: files.copy_ranges("r", "there", [RangeCopy(path, 1, ())]),
    "transfer from": lambda files, path: transfer(files, (path, "n", "v"), to="r"),
    "transfer to": lambda files, path: transfer(files, ("there", path + "/x", "v"), to="r"),
    "transfer via": lambda files, path: transfer(files, ("there", "n", path + "/x"), to="r"),
}


@pytest.mark.parametrize("path", BAD)
@pytest.mark.parametrize("deed", DEEDS)
def test_nothing_leads_out(files, root, deed, path):
    write(files, "there", b"x")
    with pytest.raises(REFUSED) as caught:
        DEEDS[deed](files, path)
    told = str(caught.value)
    assert str(root) not in told
    assert "/proc" not in told
    if isinstance(caught.value, OSError):
        assert caught.value.errno in {errno.ELOOP, errno.EINVAL}


@pytest.mark.parametrize("path", ["out/secret", "out/d", "../outside/secret", "within/x"])
def test_nothing_is_removed_out_there(files, path):
    for delete in (
        lambda: files.delete("r", path, recursive=True),
        lambda: files.delete_many("r", [path]),
        lambda: files.remove_empty_directories("r", [path]),
    ):
        with pytest.raises(REFUSED):
            delete()


def test_a_link_is_removed_itself(files, root):
    files.delete("r", "out")
    files.delete_many("r", ["file-out", "none", "none/at/all"])
    assert list(root.iterdir()) == [root / "within"]


def test_removing_all_that_is_in_a_directory_follows_no_link(files, root):
    write(files, "d/e/f", b"x")
    (root / "d" / "e" / "out").symlink_to("../../../outside")
    with pytest.raises(OSError, match="not empty"):
        files.delete("r", "d")
    files.delete("r", "d", recursive=True)
    assert not (root / "d").exists()
    with pytest.raises(PathRefusedError, match="root itself"):
        files.delete("r", "", recursive=True)


def test_the_root_itself(files, root):
    assert files.stat("r", "").is_directory
    assert files.list("r", "") == ["file-out", "out", "within"]
    files.make_directory("r", "")
    assert files.identify("r")
    assert files.free_space("r") > 0


def test_a_root_that_is_not_there(files, tmp_path):
    assert files.identify("gone") is None
    assert files.stat("gone", "") is None
    assert files.stat("gone", "a") is None
    assert files.free_space("gone") > 0
    with pytest.raises(FileNotFoundError) as caught:
        files.open("gone", "a", os.O_RDWR | os.O_CREAT)
    assert caught.value.filename == "gone/a"
    assert not (tmp_path / "gone").exists()
    files.make_directory("gone", "")
    assert (tmp_path / "gone" / "deep").is_dir()


def test_a_root_that_nobody_lent(files):
    with pytest.raises(UnknownRootError):
        files.stat("x", "a")


def test_errors_have_the_clients_name_for_it(files):
    write(files, "d/f", b"x")
    with pytest.raises(NotADirectoryError) as caught:
        files.make_directory("r", "d/f/g")
    assert caught.value.filename == "r/d/f/g"
    with pytest.raises(FileNotFoundError) as missing:
        files.truncate("r", "d/none", 1)
    assert missing.value.filename == "r/d/none"


def test_directories(files, root):
    files.make_directory("r", "d/e")
    files.make_directory("r", "d/e")
    write(files, "d/f", b"x")
    assert files.list("r", "d") == ["e", "f"]
    files.remove_empty_directories("r", ["d/e", "d", "none", "d/f"])
    assert files.list("r", "d") == ["f"]


def test_names_that_are_no_text_are_left_out(files, root):
    Path(os.fsdecode(os.fsencode(root) + b"/\xff")).touch()
    assert files.list("r", "") == ["file-out", "out", "within"]


def test_copying_ranges(files, root):
    write(files, "parts", b"0123456789")
    files.copy_ranges("r", "parts", [RangeCopy("d/a", 4, ((2, 1, 3),)), RangeCopy("b", 2, ())])
    assert (root / "d" / "a").read_bytes() == b"\x00234"
    assert (root / "b").read_bytes() == bytes(2)
    files.copy_ranges("r", "none", [RangeCopy("c", 3, ((0, 0, 3),))])
    assert (root / "c").read_bytes() == bytes(3)


def transfer(files, *transfers, to="s", started=lambda _work: None):
    done, moved = [], []
    files.transfer("r", to, [Transfer(*each) for each in transfers], done, moved.append, started)
    return done, sum(moved)


def test_files_are_given_another_place(files, root, monkeypatch):
    monkeypatch.setattr(lent_files, "MAX_TRANSFERS", 2)
    for name in ("a", "d/b", "c"):
        write(files, name, name.encode())
    done = transfer(files, ("a", "x/a", "x/a.v"), ("no/ne", "n", "n.v"), ("d/b", "b", "b.v"))
    moved = Transferred.MOVED
    assert done == ([moved, Transferred.ABSENT, moved], 4)
    second = root.parent / "second"
    assert (second / "x" / "a").read_bytes() == b"a"
    assert (second / "b").read_bytes() == b"d/b"
    assert transfer(files, ("c", "cc", "v"), to="r") == ([moved], 1)


def test_nothing_is_replaced(files, root):
    write(files, "a", b"a")
    write(files, "taken", b"t", "s")
    with pytest.raises(FileExistsError) as caught:
        transfer(files, ("a", "taken", "v"))
    assert caught.value.filename == "s/taken"
    assert (root / "a").read_bytes() == b"a"


def test_a_transfer_can_be_stopped(files):
    write(files, "a", b"a")

    def stop(work):
        work.stopped = True

    with pytest.raises(StoppedError):
        transfer(files, ("a", "b", "v"), started=stop)
