from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from millstream.io_daemon.directory import CheckedDirectory, OpenDirectory

LINK = {errno.ELOOP}


@pytest.fixture(params=[OpenDirectory, CheckedDirectory])
def kind(request):
    return request.param


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    return tmp_path / "root"


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def read(descriptor):
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def test_files_are_made_and_opened(kind, root):
    with kind.at(str(root)) as held:
        with os.fdopen(held.open("a", os.O_WRONLY | os.O_CREAT), "wb") as file:
            file.write(b"data")
        assert read(held.open("a", os.O_RDONLY)) == b"data"
        assert held.stat("a").st_size == 4
        assert held.names() == ["a"]
    assert (root / "a").read_bytes() == b"data"


def test_directories_are_entered_and_made(kind, root):
    with kind.at(str(root)) as held:
        with pytest.raises(FileNotFoundError):
            held.enter("d")
        with held.enter("d", create=True) as within, within.enter("e", create=True) as deeper:
            os.close(deeper.open("f", os.O_RDWR | os.O_CREAT))
            assert (root / "d" / "e").samefile(deeper.path)
        with held.enter("d", create=True) as again:
            assert again.names() == ["e"]
    assert (root / "d" / "e" / "f").exists()


@pytest.mark.parametrize("target", ["../outside", "/etc", "inner", "nowhere"])
def test_a_link_to_a_directory_is_not_entered_wherever_it_points(kind, root, target):
    (root / "inner").mkdir()
    (root / "link").symlink_to(target)
    with kind.at(str(root)) as held:
        for create in (False, True):
            with pytest.raises(OSError, match="symbolic link") as caught:
                held.enter("link", create=create)
            assert caught.value.errno in LINK
    assert list((root / "inner").iterdir()) == []


@pytest.mark.parametrize("target", ["../outside/secret", "/etc/passwd", "file", "nowhere"])
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT])
def test_a_link_to_a_file_is_not_opened_wherever_it_points(kind, root, target, flags):
    (root / "file").write_bytes(b"x")
    (root / "link").symlink_to(target)
    with kind.at(str(root)) as held:
        with pytest.raises(OSError, match="symbolic link"):
            held.open("link", flags)
        with pytest.raises(OSError, match="symbolic link"):
            held.stat("link")
    assert not (root / "nowhere").exists()


def test_what_is_no_regular_file_is_not_opened_nor_waited_for(kind, root):
    os.mkfifo(root / "pipe")
    (root / "d").mkdir()
    before = descriptors()
    with kind.at(str(root)) as held:
        with pytest.raises(OSError, match="no regular file"):
            held.open("pipe", os.O_RDONLY)
        with pytest.raises(IsADirectoryError):
            held.open("d", os.O_RDONLY)
        with pytest.raises(NotADirectoryError):
            held.enter("pipe")
    assert descriptors() == before


def test_a_directory_swapped_for_a_link_changes_nothing_for_who_is_in_it(root):
    (root / "d").mkdir()
    with OpenDirectory.at(str(root)) as held, held.enter("d") as within:
        (root / "d").rename(root / "was")
        (root / "d").symlink_to("../outside")
        os.close(within.open("new", os.O_RDWR | os.O_CREAT))
    assert (root / "was" / "new").exists()
    assert not (root.parent / "outside" / "new").exists()


def test_removing_takes_the_link_and_not_what_it_points_to(kind, root):
    (root / "link").symlink_to("../outside/secret")
    (root / "d").mkdir()
    with kind.at(str(root)) as held:
        held.unlink("link")
        held.rmdir("d")
        assert held.names() == []
    assert (root.parent / "outside" / "secret").exists()


def test_the_root_itself_may_be_a_link_of_its_owner(kind, root):
    (root.parent / "alias").symlink_to("root")
    with kind.at(str(root.parent / "alias")) as held:
        os.close(held.open("a", os.O_RDWR | os.O_CREAT))
    assert (root / "a").exists()


def test_a_root_that_is_none(kind, root):
    with pytest.raises(FileNotFoundError):
        kind.at(str(root / "none"))
    (root / "file").touch()
    with pytest.raises(NotADirectoryError):
        kind.at(str(root / "file"))
